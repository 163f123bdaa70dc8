"""Reading a script from its TOML file. The format is described in the documentation, page "Scripts"."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time
from functools import cache
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any

from realtime_core.toml_file import Table, nearest, parse_toml, read_toml
from realtime_local.script import BUILTINS, Intent, Script, Slot, ToolUse
from realtime_local.script_answers import names_in
from realtime_local.script_phrases import certain_slots, is_word
from realtime_local.script_slots import checked_name, read_phrases, read_slots

__all__ = ["DEMO_SCRIPT", "demo_script", "load_script", "parse_script"]

DEMO_SCRIPT = "restaurant"
"""The script that comes with the wheel."""

_GREETING = "Hello. How can I help you?"
_FALLBACK = "Sorry, I did not understand that."
_APOLOGY = "Sorry, something went wrong. Please try again."
_PHONES = frozenset(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()  # noqa: SIM905 - reads better
)
_ACTIONS = ("tool", "hang_up", "transfer")


def load_script(path: str | Path) -> Script:
    """
    Read a script.

    Raises:
        ConfigError: It cannot be read or is broken; names file, line and key.
    """
    return _script(read_toml(path))


def parse_script(text: str, source: str = "script") -> Script:
    """
    Read a script that is at hand as a text.

    Args:
        text: TOML.
        source: What errors call it.

    Raises:
        ConfigError: It is broken; names line and key.
    """
    return _script(parse_toml(text, source))


@cache
def demo_script() -> Script:
    """Read the script that comes with the wheel: the telephone desk of a restaurant."""
    file = files("realtime_local") / "scripts" / f"{DEMO_SCRIPT}.toml"
    return parse_script(file.read_text("utf-8"), f"{DEMO_SCRIPT}.toml")


def _script(table: Table) -> Script:
    table.only("greeting", "fallback", "apology", "pronunciations", "slots", "intents")
    slots = read_slots(table.table("slots"))
    apology = _one_line(table.text("apology", _APOLOGY))
    _check(table, (), "apology")
    intents = table.table("intents")
    if not intents.values():
        raise intents.error("expected at least one intent, such as [intents.hello]")
    return Script(
        source=table.source,
        greeting=_answers(table, "greeting", BUILTINS, (_GREETING,)),
        fallback=_answers(table, "fallback", BUILTINS, (_FALLBACK,)),
        apology=apology,
        slots=slots,
        intents=tuple(
            _intent(intents.table(checked_name(intents, name)), name, slots, apology)
            for name in intents.values()
        ),
        pronunciations=_pronunciations(table.table("pronunciations")),
    )


def _pronunciations(table: Table) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in table.values():
        if not is_word(word):
            raise table.error("expected a word of letters only", word)
        phones = table.text(word)
        if wrong := [phone for phone in phones.split() if phone not in _PHONES]:
            raise table.error(
                f"expected ARPAbet phones without stress, like 'HH AH L OW', got {wrong[0]!r}", word
            )
        found[word.lower().replace("’", "'")] = phones
    return found


def _check(table: Table, known: Iterable[str], key: str) -> None:
    """Check what the texts under a key want filled in, at every depth."""

    def walk(value: Any, *below: str | int) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, *below, name)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(item, *below, index)
        elif isinstance(value, str):
            try:
                names = names_in(value)
            except ValueError as error:
                raise table.error(str(error), *below) from None
            for name in names:
                if name.partition(".")[0] not in known or (
                    "." in name and not name.startswith("result.")
                ):
                    raise table.error(f"cannot fill in {name!r}; {nearest(name, known)}", *below)

    if table.has(key):
        walk(table.raw(key), key)


def _check_constants(table: Table, value: Any, *below: str | int) -> None:
    """Refuse what no JSON can hold: tools are called with JSON."""
    if isinstance(value, dict):
        for name, item in value.items():
            _check_constants(table, item, *below, name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_constants(table, item, *below, index)
    elif isinstance(value, date | time):
        raise table.error("expected a string, a number, true or false, got a date or time", *below)
    elif isinstance(value, float) and not isfinite(value):
        raise table.error(f"expected a number that is one, got {value}", *below)


def _answers(
    table: Table, key: str, known: Iterable[str], default: tuple[str, ...]
) -> tuple[str, ...]:
    if not table.has(key):
        return default
    texts = tuple(map(_one_line, table.texts(key)))
    _check(table, known, key)
    return texts


def _one_line(text: str) -> str:
    """Undo the folding of a long text in the file."""
    return " ".join(text.split())


def _intent(table: Table, name: str, slots: dict[str, Slot], apology: str) -> Intent:
    table.only("phrases", "answer", "ask", "failed", *_ACTIONS)
    table.required("phrases")
    phrases = read_phrases(table, "phrases", slots)
    asks = _asks(table.table("ask"), slots)
    certain = frozenset.intersection(*map(certain_slots, phrases))
    known = (*BUILTINS, *sorted(certain | set(asks)))
    actions = [key for key in _ACTIONS if table.has(key)]
    if len(actions) > 1:
        raise table.error(f"expected no {actions[1]!r} beside {actions[0]!r}", actions[1])
    does = table.has("transfer") or table.flag("hang_up", False)
    if table.has("failed") and not does:
        raise table.error("expected only beside hang_up or transfer; a tool has its own", "failed")
    tool: ToolUse | None
    if table.has("tool"):
        if table.has("answer"):
            raise table.error("expected none beside a tool: tool.before and tool.after", "answer")
        answers, tool = _tool(table.table("tool"), known, apology)
    else:
        table.required("answer")
        answers = _answers(table, "answer", known, ())
        tool = _telephony(table, known, apology)
    return Intent(
        name=name, phrases=phrases, answers=answers, needs=tuple(asks), asks=asks, tool=tool
    )


def _asks(table: Table, slots: dict[str, Slot]) -> dict[str, tuple[str, ...]]:
    for name in table.values():
        if name not in slots:
            raise table.error(f"unknown slot; {nearest(name, slots)}", name)
    return {name: _answers(table, name, BUILTINS, ()) for name in table.values()}


def _tool(table: Table, known: tuple[str, ...], apology: str) -> tuple[tuple[str, ...], ToolUse]:
    table.only("name", "arguments", "before", "after", "failed", "missing")
    table.required("name")
    slots = [name for name in known if name not in BUILTINS]
    arguments = table.table("arguments")
    _check(table, slots, "arguments")
    _check_constants(table, table.raw("arguments"), "arguments")
    failed = _answers(table, "failed", (*known, "result"), (apology,))
    needs_result = any(
        name.partition(".")[0] == "result" for text in failed for name in names_in(text)
    )
    tool = ToolUse(
        name=_one_line(table.text("name")),
        arguments=arguments.values(),
        after=_answers(table, "after", (*known, "result"), ()),
        failed=failed,
        missing=_answers(table, "missing", known, (apology,) if needs_result else failed),
    )
    return _answers(table, "before", known, ()), tool


def _telephony(table: Table, known: tuple[str, ...], apology: str) -> ToolUse | None:
    """Make the calls of the tools that telephony supplies; where they are not offered the answer is all."""
    arguments: dict[str, Any] = {}
    name = "hang_up"
    if table.has("transfer"):
        name = "transfer"
        arguments["target"] = _one_line(table.text("transfer"))
        _check(table, [slot for slot in known if slot not in BUILTINS], "transfer")
    elif not table.flag("hang_up", False):
        return None
    failed = _answers(table, "failed", (*known, "result"), (apology,))
    return ToolUse(name=name, arguments=arguments, after=(), failed=failed, missing=None)

"""Reading the `[slots]` of a script."""

from __future__ import annotations

import re
from collections.abc import Iterator

from realtime_core.toml_file import Table, nearest
from realtime_local.numbers import GREATEST_NUMBER, number_words
from realtime_local.script import BUILTINS, DigitsSlot, Form, ListSlot, Slot, SlotValue
from realtime_local.script_phrases import Node, PhraseError, certain_slots, parse_phrase, slots_of

__all__ = ["checked_name", "read_phrases", "read_slots"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SPOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*'?\Z")
_KINDS = {
    "digits": ("kind", "answers", "length"),
    "number": ("kind", "answers", "from", "to"),
    "list": ("kind", "answers", "values"),
}
_MOST_DIGITS = 20


def checked_name(table: Table, name: str) -> str:
    """Refuse a name that a grammar could not hold."""
    if not _NAME.match(name):
        raise table.error("expected a name of letters, digits and underscores", name)
    return name


def read_phrases(table: Table, key: str, slots: dict[str, Slot]) -> tuple[Node, ...]:
    """Read phrases; their slots must be among those given."""
    phrases: list[Node] = []
    is_list = isinstance(table.raw(key), list)
    for index, text in enumerate(table.texts(key)):
        below = (key, index) if is_list else (key,)
        try:
            phrase = parse_phrase(text)
        except PhraseError as error:
            raise table.error(str(error), *below) from None
        names = slots_of(phrase)
        for name in names:
            if name not in slots:
                raise table.error(f"unknown slot {name!r}; {nearest(name, slots)}", *below)
            if names.count(name) > 1:
                raise table.error(f"expected slot {name!r} at most once in a sentence", *below)
        phrases.append(phrase)
    return tuple(phrases)


def read_slots(table: Table) -> dict[str, Slot]:
    """Read every slot, then the answers, which may hold other slots."""
    slots: dict[str, Slot] = {}
    for name in table.values():
        checked_name(table, name)
        if name in (*BUILTINS, "result"):
            raise table.error("expected another name: this one is filled in by itself", name)
        slots[name] = _read_slot(table.table(name), name)
    for name in slots:
        entry = table.table(name)
        if entry.has("answers"):
            answers = read_phrases(entry, "answers", slots)
            for index, phrase in enumerate(answers):
                if name not in certain_slots(phrase):
                    below = (
                        ("answers", index)
                        if isinstance(entry.raw("answers"), list)
                        else ("answers",)
                    )
                    raise entry.error(f"expected {{{name}}} in every answer", *below)
            slots[name] = _with_answers(slots[name], answers)
    return slots


def _with_answers(slot: Slot, answers: tuple[Node, ...]) -> Slot:
    match slot:
        case DigitsSlot(name=name, shortest=shortest, longest=longest):
            return DigitsSlot(name=name, shortest=shortest, longest=longest, answers=answers)
        case ListSlot(name=name, forms=forms):
            return ListSlot(name=name, forms=forms, answers=answers)


def _read_slot(table: Table, name: str) -> Slot:
    kind = table.text("kind")
    if kind not in _KINDS:
        raise table.error(f"unknown kind {kind!r}; {nearest(kind, _KINDS)}", "kind")
    table.only(*_KINDS[kind])
    answers = (parse_phrase(f"{{{name}}}"),)
    if kind == "digits":
        shortest, longest = table.whole_pair("length", 1, _MOST_DIGITS)
        return DigitsSlot(name=name, shortest=shortest, longest=longest, answers=answers)
    forms = _numbers(table) if kind == "number" else _values(table)
    return ListSlot(name=name, forms=forms, answers=answers)


def _numbers(table: Table) -> tuple[Form, ...]:
    table.required("to")
    least = table.whole("from", 0, GREATEST_NUMBER, 1)
    most = table.whole("to", least, GREATEST_NUMBER)
    forms: list[Form] = []
    for number in range(least, most + 1):
        spoken = number_words(number)
        forms.append(Form(tuple(spoken.split()), SlotValue(number, spoken)))
    return tuple(forms)


def _values(table: Table) -> tuple[Form, ...]:
    table.required("values")
    forms: dict[tuple[str, ...], Form] = {}
    for value, first, text, where in _ways_to_say(table):
        words = tuple(text.lower().replace("’", "'").split())
        if not all(map(_SPOKEN.match, words)):
            raise table.error(
                f"expected words of letters only, numbers written out, got {text!r}", *where
            )
        if words in forms and forms[words].value.value != value:
            raise table.error(f"expected {text!r} to mean one value only", *where)
        forms[words] = Form(words, SlotValue(value, first))
    return tuple(forms.values())


def _ways_to_say(table: Table) -> Iterator[tuple[str, str, str, tuple[str | int, ...]]]:
    """Give every value with the first way to say it, a way to say it, and where that is written."""
    values = table.raw("values")
    if not isinstance(values, dict):
        for index, text in enumerate(table.texts("values")):
            yield text, text, text, ("values", index) if isinstance(values, list) else ("values",)
        return
    listed = table.table("values")
    if not listed.values():
        raise table.error("expected at least one value", "values")
    for value, ways in listed.values().items():
        spoken = listed.texts(value)
        for index, text in enumerate(spoken):
            where = ("values", value, index) if isinstance(ways, list) else ("values", value)
            yield value, spoken[0], text, where

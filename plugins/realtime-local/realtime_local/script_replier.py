"""A replier that follows a script: what may be said is known beforehand, and so is every answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import final

from attrs import define, field, frozen

from realtime_local.engines import CallTool, Message, Say, TurnRequest
from realtime_local.script import Intent, Script, SlotValue, ToolUse
from realtime_local.script_answers import (
    builtin_value,
    fill,
    fill_arguments,
    names_in,
    tool_result,
)
from realtime_local.script_grammar import grammar_of
from realtime_local.script_matching import Matcher
from realtime_local.sentences import SentenceSplitter

__all__ = ["ScriptReplier"]

_MOST_QUESTIONS = 3
_MOST_WAITING_CALLS = 100
_log = logging.getLogger("realtime_local.script")

_Slots = Mapping[str, SlotValue]


def _now() -> datetime:
    return datetime.now().astimezone()


@define
class _Question:
    """An intent which waits for a slot."""

    intent: Intent
    slots: dict[str, SlotValue]
    slot: str
    asked: int = 1


@frozen
class _Waiting:
    """A call whose answer has not come yet."""

    tool: ToolUse
    slots: _Slots


@define
class _Memory:
    """What the conversation has come to."""

    question: _Question | None = None
    calls: dict[str, _Waiting] = field(factory=dict)
    turns: dict[tuple[str, ...], int] = field(factory=dict)
    calls_made: int = 0
    taken: tuple[str, ...] = ()
    """What the caller had said since a reply was heard, when the last one was begun."""
    last: str = ""


@final
class ScriptReplier:
    """
    Answers by a script. One object a session: it remembers what it asked and which answers were used.

    Args:
        script: What is understood and said.
        clock: Gives the time for `{time}`, `{weekday}` and `{date}`; by default the computer's, in its time zone.
    """

    def __init__(self, script: Script, *, clock: Callable[[], datetime] = _now) -> None:
        self.script = script
        self.apology: str = script.apology
        """Said when a reply fails."""
        self._clock = clock
        self._matcher = Matcher(script)
        self._grammar = grammar_of(script)
        self._memory = _Memory()

    def phrases(self) -> str:
        """Give the grammar of the script."""
        return self._grammar

    async def close(self) -> None:
        """Hold nothing."""

    async def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
        """Answer at once; nothing is waited for. What is remembered is settled before a sentence is spoken."""
        for piece in self._turn(request):
            yield piece

    def _turn(self, request: TurnRequest) -> Iterator[Say | CallTool]:
        if request.is_greeting:
            question = self._memory.question
            yield from self._say(
                self.script.greeting if question is None else question.intent.asks[question.slot],
                {},
            )
            return
        for message in request.history:
            if message.role == "tool":
                yield from self._told(message)
        fresh = _since_last_reply(request.history)
        texts = [message.text for message in fresh if message.role == "user"]
        if texts:
            yield from self._answer(texts, [tool.name for tool in request.tools])

    def _answer(self, texts: Sequence[str], offered: Sequence[str]) -> Iterator[Say | CallTool]:
        """Answer what was said since a reply was heard last: one sentence with a pause in it, or several."""
        together, before = " ".join(texts), self._memory.question
        new = self._not_taken(texts)
        understood = False
        for text in dict.fromkeys(new) if self._understood(together) is None else [together]:
            meant = self._understood(text)
            if meant is not None:
                understood = True
                yield from self._pursue(*meant, offered)
        question = self._memory.question
        if understood:
            if question is not None and question is not before:
                yield from self._say(question.intent.asks[question.slot], {})
            return
        yield from self._say(self.script.fallback, {})
        if question is not None:
            question.asked += 1
            if question.asked > _MOST_QUESTIONS:
                self._memory.question = None
            else:
                yield from self._say(question.intent.asks[question.slot], {})

    def _not_taken(self, texts: Sequence[str]) -> Sequence[str]:
        """Leave out what was answered already, though of that reply nothing was heard: who cut it wants something else."""
        taken, self._memory.taken = self._memory.taken, tuple(texts)
        is_more = len(texts) > len(taken) and tuple(texts[: len(taken)]) == taken
        return texts[len(taken) :] if is_more else texts

    def _understood(self, text: str) -> tuple[Intent, dict[str, SlotValue]] | None:
        """Find what is wanted: more of what was asked about, or something else."""
        question = self._memory.question
        if question is not None:
            slots = self._matcher.match_answer(text, question.slot)
            if slots is not None:
                return question.intent, {**question.slots, **slots}
        match = self._matcher.match(text)
        if match is None:
            return None
        goes_on = question is not None and match.intent is question.intent
        return match.intent, {**(question.slots if question and goes_on else {}), **match.slots}

    def _pursue(
        self, intent: Intent, slots: dict[str, SlotValue], offered: Sequence[str]
    ) -> Iterator[Say | CallTool]:
        """Note what is missing, to be asked for, or answer and call."""
        missing = next((name for name in intent.needs if name not in slots), None)
        if missing is not None:
            self._memory.question = _Question(intent, slots, missing)
            return
        if not _repeats(intent):
            self._memory.question = None
        tool = intent.tool
        if tool is None:
            yield from self._say(intent.answers, slots)
        elif tool.name in offered:
            yield from self._say(intent.answers, slots)
            yield self._call(tool, slots)
        else:
            _log.info("intent %s: no tool %s is offered", intent.name, tool.name)
            yield from self._say(
                tool.missing if tool.missing is not None else intent.answers, slots
            )

    def _call(self, tool: ToolUse, slots: _Slots) -> CallTool:
        memory = self._memory
        memory.calls_made += 1
        call_id = f"script_{memory.calls_made}"
        memory.calls[call_id] = _Waiting(tool, slots)
        if len(memory.calls) > _MOST_WAITING_CALLS:
            del memory.calls[next(iter(memory.calls))]
        return CallTool(
            call_id=call_id, name=tool.name, arguments=fill_arguments(tool.arguments, slots)
        )

    def _told(self, message: Message) -> Iterator[Say]:
        """Say what a tool's answer gives occasion to."""
        waiting = self._memory.calls.pop(message.call_id or "", None)
        if waiting is None:
            return
        tool, result = waiting.tool, tool_result(message.text)
        if not result.failed:
            if not tool.after:
                return
            try:
                yield from self._say(tool.after, waiting.slots, result.value_of)
            except LookupError as error:
                _log.warning("tool %s: its result has no field %s to say", tool.name, error)
            else:
                return
        try:
            yield from self._say(tool.failed, waiting.slots, result.value_of)
        except LookupError:
            yield from self._say((self.script.apology,), {})

    def _say(
        self,
        texts: tuple[str, ...],
        slots: _Slots,
        result: Callable[[str], str] | None = None,
    ) -> Iterator[Say]:
        """Fill in the next of several texts and give its sentences."""
        if not texts:
            return
        memory = self._memory
        turn = memory.turns.get(texts, 0)
        template = texts[turn % len(texts)]
        spoken = fill(template, lambda name: self._value(name, slots, result))
        memory.turns[texts] = turn + 1
        if "last" not in names_in(template):
            memory.last = spoken
        splitter = SentenceSplitter()
        for sentence in [*splitter.feed(spoken), *splitter.finish()]:
            yield Say(text=sentence)

    def _value(self, name: str, slots: _Slots, result: Callable[[str], str] | None) -> str:
        if name in slots:
            return slots[name].spoken
        if name == "last":
            return self._memory.last or self._greeting()
        if name.partition(".")[0] == "result" and result is not None:
            return result(name)
        return builtin_value(name, self._clock())

    def _greeting(self) -> str:
        """Give what is said again when nothing was said yet."""
        return fill(
            self.script.greeting[0],
            lambda name: "" if name == "last" else builtin_value(name, self._clock()),
        )


def _repeats(intent: Intent) -> bool:
    """Whether an intent only says again what was said, so that a question stays open."""
    return any("last" in names_in(answer) for answer in intent.answers)


def _since_last_reply(history: Sequence[Message]) -> Sequence[Message]:
    """Give what came after the assistant's last line."""
    for index in range(len(history) - 1, -1, -1):
        if history[index].role == "assistant":
            return history[index + 1 :]
    return history

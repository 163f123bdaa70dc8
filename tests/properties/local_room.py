"""The engine room of the model in the box, played by hand: its frames come when a test lets them, and never astray."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from attrs import define, field

from realtime_local._frames import CALLER_AUDIO, from_json, spoken, to_json

RATE_HZ = 16000


@define
class Room:
    """What is said to it waits in `inbox`, what it says in `outbox`."""

    inbox: deque[bytes] = field(factory=deque)
    outbox: deque[bytes] = field(factory=deque)
    reply: int | None = None
    """The reply it works on."""
    requests: list[dict[str, Any]] = field(factory=list)
    """Replies it was asked for, in order."""
    speaking: bool = False
    """The caller speaks."""
    unrecognised: deque[str] = field(factory=deque)
    """Utterances whose words are not known yet."""
    _utterances: int = 0
    _calls: int = 0

    @property
    def owes(self) -> bool:
        """Whether something is to come of it."""
        return bool(self.inbox or self.outbox or self.reply is not None or self.unrecognised)

    def _say(self, kind: str, **fields: Any) -> None:
        self.outbox.append(to_json(kind, **fields))

    # What it is told

    def read(self) -> None:
        frame = self.inbox.popleft()
        if frame[:1] == CALLER_AUDIO:
            return
        event = from_json(frame)
        match event["type"]:
            case "reply":
                assert self.reply is None, "asked for two replies at once"
                assert event["reply"] == len(self.requests) + 1, "replies are numbered in order"
                self._check(event["history"])
                self.requests.append(event)
                self.reply = event["reply"]
            case "stop":
                assert event["reply"] == len(self.requests), "stopped another reply than the last"
                if self.reply == event["reply"]:
                    self.reply = None
            case "commit":
                self.unrecognised.append(event["item"])
            case "clear":
                if self.speaking:
                    self.speaking = False
                    self._say("speech_ended", item=self._utterance, at_ms=None)
                    self._say("transcript", item=self._utterance, text="", answered=False)
            case kind:
                raise AssertionError(f"unknown: {kind}")

    @staticmethod
    def _check(history: list[dict[str, Any]]) -> None:
        """Every answer belongs to a call before it, and no call is answered twice."""
        called: set[str] = set()
        answers: Counter[str] = Counter()
        for line in history:
            called.update(call["call_id"] for call in line["calls"])
            if line["role"] == "tool":
                answers[line["call_id"]] += 1
        assert set(answers) <= called, "an answer without its call"
        assert all(count == 1 for count in answers.values()), "answered twice"

    # The caller

    @property
    def _utterance(self) -> str:
        return f"utterance_{self._utterances}"

    def speech_starts(self) -> None:
        if not self.speaking:
            self.speaking = True
            self._utterances += 1
            self._say("speech_started", item=self._utterance, at_ms=0)

    def speech_ends(self) -> None:
        if self.speaking:
            self.speaking = False
            self._say("speech_ended", item=self._utterance, at_ms=20)
            self.unrecognised.append(self._utterance)

    def recognises(self, text: str) -> None:
        if self.unrecognised:
            item = self.unrecognised.popleft()
            self._say("transcript", item=item, text=text, answered=True)

    # Its reply

    def says(self, text: str) -> None:
        if self.reply is not None:
            self._say("say", reply=self.reply, text=text)

    def speaks(self, ms: int) -> None:
        if self.reply is not None:
            self.outbox.append(spoken(self.reply, bytes(ms * RATE_HZ // 1000 * 2)))

    def has_said(self) -> None:
        if self.reply is not None:
            self._say("said", reply=self.reply)

    def calls(self) -> None:
        if self.reply is not None:
            self._calls += 1
            call_id = f"call_{self._calls}"
            self._say("call", reply=self.reply, call_id=call_id, name="lookup", arguments={})

    def fails(self) -> None:
        self._say("error", message="no", error_kind="vendor", retryable=True)

    def ends(self, status: str) -> None:
        if self.reply is not None:
            self._say("done", reply=self.reply, status=status)
            self.reply = None

"""
A vendor as the references describe it, small enough for thousands of conversations.

What it says waits in `outbox` and what it is told waits in `inbox`, so that both cross on the way like on a real
connection. It obeys its documents, but for the oddities it was made with, each of which is reported of real servers.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Mapping
from itertools import count
from typing import Any

from attrs import define, field

from tests.properties.cases import Case

ODDITIES = (
    "no_created",  # a reply begins without its announcement
    "done_without_id",  # a cancelled reply ends without an id
    "errors_without_id",  # a refusal names no event
    "repeats",  # frames come twice, under the same event id
    "late_audio",  # deltas of a reply come after its end
    "supersedes",  # a turn of the caller replaces a running reply, which is never ended
    "speech_repeats",  # the start of speech is reported again
    "half_samples",  # deltas of an odd byte count
    "no_items",  # neither items nor texts are ended before the reply is
)


@define
class Reply:
    response_id: str
    metadata: Mapping[str, Any] | None = None
    item: str | None = None
    text: str = ""
    audio: bool = False
    output: list[dict[str, Any]] = field(factory=list)


@define
class Vendor:
    case: Case
    answers_turns: bool
    """It begins a reply to the caller's turn."""
    interruptible: bool
    """It cancels its reply when the caller speaks."""
    oddities: frozenset[str] = frozenset()
    inbox: deque[dict[str, Any]] = field(factory=deque)
    outbox: deque[bytes] = field(factory=deque)
    active: Reply | None = None
    speaking: str | None = None
    pushed: bool = False
    """Audio came that is not committed."""
    answered: dict[str, str] = field(factory=dict)
    """Reply by the id of the request it answers."""
    refused: list[str] = field(factory=list)
    """Ids of requests it refused."""
    items: dict[str, int] = field(factory=dict)
    """Bytes of audio by item."""
    is_strict: bool = True
    """The client heard nothing but this vendor, so it must not be wrong about its items."""
    calls: set[str] = field(factory=set)
    calls_open: set[str] = field(factory=set)
    instructions: list[str] = field(factory=list)
    """Of the requests it took."""
    _ids: count[int] = field(factory=count)

    @property
    def _bytes_per_s(self) -> int:
        dialect = self.case.dialect
        return 8000 if dialect.companding else dialect.output_rate_hz * 2

    @property
    def owes(self) -> bool:
        """Whether the client may wait for something."""
        return self.active is not None or bool(self.inbox) or bool(self.outbox)

    def new(self, kind: str) -> str:
        return f"{kind}_{next(self._ids)}"

    def say(self, kind: str, **fields: Any) -> None:
        frame = json.dumps({"type": kind, "event_id": self.new("event"), **fields}).encode()
        self.outbox.append(frame)
        if "repeats" in self.oddities and self.case.dialect.drops_duplicates:
            self.outbox.append(frame)

    def _out(self, tail: str) -> str:
        return f"response.output_{tail}" if self.case.ga_names else f"response.{tail}"

    # Reading

    def read(self) -> None:
        """Take the oldest of what it was told."""
        if not self.inbox:
            return
        event = self.inbox.popleft()
        match event["type"]:
            case "session.update":
                self.say("session.updated", session={"id": "sess_1"})
            case "input_audio_buffer.append":
                self.pushed = True
            case "input_audio_buffer.commit":
                self._commit(event)
            case "input_audio_buffer.clear":
                self.pushed = False
                self.say("input_audio_buffer.cleared")
            case "conversation.item.create":
                self._item(event)
            case "conversation.item.truncate":
                self._truncate(event)
            case "conversation.item.delete":
                if self.items.pop(event["item_id"], None) is None:
                    self.refuse(event, "item_delete_invalid_item_id", "no such item")
                else:
                    self.say("conversation.item.deleted", item_id=event["item_id"])
            case "response.create":
                self._create(event)
            case "response.cancel":
                self._cancel(event)
            case kind:
                raise AssertionError(f"unknown: {kind}")

    def refuse(self, event: Mapping[str, Any], code: str | None, message: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        named = None if "errors_without_id" in self.oddities else event["event_id"]
        self.say("error", error={**error, "event_id": named})

    def _commit(self, event: Mapping[str, Any]) -> None:
        if not self.pushed:
            self.refuse(event, "input_audio_buffer_commit_empty", "the buffer is empty")
            return
        self.pushed = False
        item = self.new("user")
        self.say("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        self._added({"id": item, "type": "message", "role": "user"})

    def _added(self, item: Mapping[str, Any]) -> None:
        kind = "conversation.item.added" if self.case.ga_names else "conversation.item.created"
        self.say(kind, item=item, previous_item_id=None)

    def _item(self, event: Mapping[str, Any]) -> None:
        item = event["item"]
        if item["type"] == "function_call_output":
            if item["call_id"] not in self.calls:
                self.refuse(event, "invalid_tool_call_id", "no such call")
                return
            self.calls_open.discard(item["call_id"])
        self._added({"id": self.new("item"), **item})

    def _truncate(self, event: Mapping[str, Any]) -> None:
        assert self.case.dialect.capabilities.truncation
        item_id, end_ms = event["item_id"], event["audio_end_ms"]
        if not self.is_strict and item_id not in self.items:
            self.refuse(event, "item_truncate_invalid_item_id", "no such item")
            return
        have_ms = self.items[item_id] * 1000 / self._bytes_per_s
        assert end_ms <= have_ms or not self.is_strict, "this truncate would be refused"
        self.say("conversation.item.truncated", item_id=item_id, audio_end_ms=end_ms)

    def _create(self, event: Mapping[str, Any]) -> None:
        if self.active is not None:
            self.refused.append(event["event_id"])
            if self.case.dashscope:
                self.refuse(event, "invalid_value", "Another response is in progress.")
            else:
                code = "conversation_already_has_active_response"
                self.refuse(event, code, f"active: {self.active.response_id}")
        elif self.speaking is not None and self.case.dashscope:
            self.refused.append(event["event_id"])
            self.refuse(event, "invalid_value", "response.create is refused while user is speaking")
        else:
            response = event.get("response", {})
            self.instructions.append(response.get("instructions", ""))
            self.begin(response.get("metadata"))
            assert self.active is not None
            self.answered[event["event_id"]] = self.active.response_id

    def _cancel(self, event: Mapping[str, Any]) -> None:
        named = event.get("response_id")
        if self.active is None or named not in (None, self.active.response_id):
            code = None if self.case.dashscope else "response_cancel_not_active"
            self.refuse(event, code, "Conversation has none active response.")
        else:
            self.end("cancelled", "client_cancelled")

    # Speaking

    def begin(self, metadata: Mapping[str, Any] | None = None) -> None:
        self.active = reply = Reply(self.new("resp"), metadata)
        if "no_created" not in self.oddities:
            response = {"id": reply.response_id, "status": "in_progress", "metadata": metadata}
            self.say("response.created", response=response)
        self._next_item(reply)

    def _place(self, reply: Reply) -> dict[str, Any]:
        return {"response_id": reply.response_id, "item_id": reply.item}

    def _next_item(self, reply: Reply) -> None:
        reply.item, reply.text, reply.audio = self.new("item"), "", False
        self.items[reply.item] = 0
        item = {"id": reply.item, "type": "message", "status": "in_progress", "content": []}
        self.say("response.output_item.added", response_id=reply.response_id, item=item)

    def audio(self, ms: int) -> None:
        if self.active is None or self.active.item is None:
            return
        reply, size = self.active, ms * self._bytes_per_s // 1000
        if "half_samples" in self.oddities and self.case.dialect.companding is None:
            size -= 1
        reply.audio = True
        self.items[reply.item or ""] += size
        delta = base64.b64encode(bytes(size)).decode()
        self.say(self._out("audio.delta"), **self._place(reply), delta=delta)

    def words(self) -> None:
        if self.active is not None and self.active.item is not None:
            self.active.text += "la "
            kind = self._out("audio_transcript.delta")
            self.say(kind, **self._place(self.active), delta="la ")

    def next_item(self) -> None:
        if self.active is not None:
            self._end_item(self.active, "completed")
            self._next_item(self.active)

    def call(self, times: int = 1) -> None:
        if self.active is None:
            return
        self._end_item(self.active, "completed")
        self.active.item = None
        for _ in range(times):
            call = {"call_id": self.new("call"), "name": "lookup", "arguments": ' {"city": "Rome"}'}
            item = {"id": self.new("item"), "type": "function_call", "status": "completed", **call}
            self.calls.add(call["call_id"])
            self.calls_open.add(call["call_id"])
            self.active.output.append(item)
            done = "response.function_call_arguments.done"
            self.say(done, response_id=self.active.response_id, item_id=item["id"], **call)
            if "no_items" not in self.oddities:
                kind = "response.output_item.done"
                self.say(kind, response_id=self.active.response_id, item=item)

    def _end_item(self, reply: Reply, status: str) -> None:
        if reply.item is None:
            return
        content = [{"type": "audio", "transcript": reply.text}]
        item = {"id": reply.item, "type": "message", "status": status, "content": content}
        reply.output.append(item)
        if "no_items" not in self.oddities:
            place = self._place(reply)
            if reply.audio:
                self.say(self._out("audio.done"), **place)
            self.say(self._out("audio_transcript.done"), **place, transcript=reply.text)
            self.say("response.output_item.done", response_id=reply.response_id, item=item)

    def end(self, status: str, reason: str | None = None) -> None:
        if self.active is None:
            return
        reply = self.active
        if "late_audio" in self.oddities and status == "cancelled":
            self.audio(20)
        whole = "completed" if status == "completed" else "incomplete"
        self._end_item(reply, whole)
        details: dict[str, Any] | None = None
        if status == "failed":
            details = {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "no"}}
        elif reason is not None:
            details = {"type": status, "reason": reason}
        response = {
            "id": reply.response_id,
            "status": status,
            "status_details": details,
            "output": reply.output,
            "metadata": reply.metadata,
            "usage": {"input_tokens": 3, "output_tokens": 4},
        }
        if status == "cancelled" and "done_without_id" in self.oddities:
            del response["id"]
        self.say("response.done", response=response)
        if "late_audio" in self.oddities:
            late = base64.b64encode(bytes(96)).decode()
            self.say(self._out("audio.delta"), **self._place(reply), delta=late)
        self.active = None

    # The caller

    def speech_starts(self) -> None:
        if self.speaking is None:
            self.speaking = self.new("user")
            self._speech_started()
            if self.active is not None and self.interruptible:
                self.end("cancelled", "turn_detected")
        elif "speech_repeats" in self.oddities:
            self._speech_started()

    def _speech_started(self) -> None:
        kind = "input_audio_buffer.speech_started"
        self.say(kind, item_id=self.speaking, audio_start_ms=100)

    def speech_stops(self, *, invalid: bool = False) -> None:
        if self.speaking is None:
            return
        item, self.speaking = self.speaking, None
        odd = {"reason": "turn_invalid"} if invalid and self.case.name == "qwen_audio" else {}
        kind = "input_audio_buffer.speech_stopped"
        self.say(kind, item_id=item, audio_end_ms=900, **odd)
        if odd:
            return
        self.say("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        self._added({"id": item, "type": "message", "role": "user"})
        transcription = "conversation.item.input_audio_transcription"
        partial = {"text": "hel", "stash": "lo"} if self.case.dashscope else {"delta": "hello"}
        self.say(f"{transcription}.delta", item_id=item, content_index=0, **partial)
        if self.answers_turns:
            if self.active is None or ("supersedes" in self.oddities and self.interruptible):
                self.begin()
            elif not self.case.dashscope:
                code = "conversation_already_has_active_response"
                fields = {"type": "invalid_request_error", "code": code, "event_id": None}
                self.say("error", error={**fields, "message": "no"})
            elif self.interruptible:
                self.say(
                    "error",
                    error={
                        "type": "invalid_request_error",
                        "message": "VAD turn committed but no response was created because a manual "
                        "response is already in progress",
                    },
                )
        self.say(f"{transcription}.completed", item_id=item, content_index=0, transcript="hello")

    def error(self, code: str | None, kind: str = "invalid_request_error") -> None:
        error = {"type": kind, "code": code, "message": "something is wrong"}
        self.say("error", error=error)

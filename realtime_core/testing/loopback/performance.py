"""One response, from `response.created` to `response.done`, step by step and at any step cut off."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from .frames import Event
from .output_call import CallOutput
from .output_message import MessageOutput
from .reply import Call, Reply, Turn
from .stage import Pause, Stage, Step, Wait
from .transcription import UserTranscript

__all__ = ["Performance"]

_STRAYS = 3


class Performance:
    """
    A response in progress.

    Args:
        stage: The session.
        reply: What to answer; its parts are complete.
        turn: What is answered.
        transcript: The transcript still owed for the user's audio, if any.
        request: The `response` object of the client's `response.create`.
    """

    def __init__(
        self,
        stage: Stage,
        reply: Reply,
        turn: Turn,
        *,
        transcript: UserTranscript | None = None,
        request: Event | None = None,
    ) -> None:
        self._stage = stage
        self._reply = reply
        self._owed = transcript
        self._metadata = (request or {}).get("metadata")
        self._input_before = stage.meter.snapshot()
        self._outputs: list[MessageOutput | CallOutput] = []
        self._open: MessageOutput | CallOutput | None = None
        self._steps = self._play()
        self._held = False
        self._resume_at = 0.0
        self.turn = turn
        self.id: str = stage.ids.new("resp")
        self.status: str = "in_progress"
        self.spoke: bool = False
        self.over: bool = False

    @property
    def in_conversation(self) -> bool:
        """False for an out-of-band response."""
        return self._stage.in_conversation

    @property
    def resume_at(self) -> float | None:
        """When `step` has something again; None when only `release` or `cancel` helps."""
        return None if self._held else self._resume_at

    def step(self, now: float) -> Event | None:
        """Return the next event; None while it rests, and when it is over (see `status`)."""
        while not self._held and now >= self._resume_at:
            step = next(self._steps, None)
            if step is None:
                self.over = True
                return None
            if isinstance(step, Pause):
                self._resume_at = now + step.seconds
            elif isinstance(step, Wait):
                self._held = True
            else:
                return step
        return None

    def release(self) -> None:
        """Let a held response go on."""
        self._held = False

    def cancel(self, reason: str) -> list[Event]:
        """Stop here; return the events that end the response."""
        self._steps.close()
        self.over = True
        return list(self._cancelled(reason))

    def finish_now(self) -> list[Event]:
        """Release every hold and return all events that are left."""
        left: list[Event] = []
        while self.status == "in_progress":
            self._held, self._resume_at = False, 0.0
            event = self.step(0.0)
            if event is not None:
                left.append(event)
        left.extend(self._steps_left())
        return left

    def _steps_left(self) -> Iterator[Event]:
        return (step for step in self._steps if isinstance(step, dict))

    def _play(self) -> Generator[Step]:
        yield {"type": "response.created", "response": self._view(None, None)}
        when = self._reply.user_transcript
        if when in ("before", "failed"):
            yield from self._transcript(failed=when == "failed")
        for index, part in enumerate(self._reply.parts):
            kind = CallOutput if isinstance(part, Call) else MessageOutput
            self._open = kind(self._stage, self.id, index, part)  # type: ignore[arg-type]
            self._outputs.append(self._open)
            for step in self._open.play():
                yield step
                if isinstance(step, dict) and step["type"] == self._stage.facts.output(
                    "audio.delta"
                ):
                    self.spoke = True
                    if when == "during":
                        yield from self._transcript()
            last = index == len(self._reply.parts) - 1
            cut = last and self._reply.status in ("incomplete", "cancelled")
            yield from self._close("incomplete" if cut else "completed")
        yield from self._end(self._reply.status, self._reply.reason)

    def _cancelled(self, reason: str) -> Iterator[Event]:
        if self._open is not None:
            # OpenAI and Model Studio: a few deltas still come after the cancellation.
            yield from self._open.stray(_STRAYS)
        late = self._open
        yield from self._close("incomplete")
        yield from self._end("cancelled", reason)
        if late is not None:
            yield from late.stray(self._reply.late_deltas)

    def _close(self, status: str) -> Iterator[Event]:
        output, self._open = self._open, None
        if output is not None:
            yield from output.close(status)

    def _end(self, status: str, reason: str | None) -> Iterator[Event]:
        stage = self._stage
        usage = None
        if self._reply.usage:
            spoken = sum(output.item.audio_ms for output in self._outputs)
            said = "".join(output.said for output in self._outputs)
            usage = stage.meter.bill(input_before=self._input_before, spoken_ms=spoken, said=said)
        self.status = status
        yield {"type": "response.done", "response": self._view(self._details(reason), usage)}
        when = self._reply.user_transcript
        if when != "never":  # also when the response was cut before its moment came
            yield from self._transcript(failed=when == "failed")
        if stage.facts.openai:
            # OpenAI Realtime guide: captured right after response.done, one row.
            limits = {"name": "tokens", "limit": 40000, "remaining": 39000, "reset_seconds": 1.5}
            yield {"type": "rate_limits.updated", "rate_limits": [limits]}

    def _transcript(self, *, failed: bool = False) -> Iterator[Event]:
        owed, self._owed = self._owed, None
        if owed is not None:
            yield from owed.failed() if failed else owed.completed()

    def _details(self, reason: str | None) -> Event | None:
        if self.status == "completed":
            return None
        details: Event = {"type": self.status}
        if reason is not None:
            details["reason"] = reason
        if self._reply.error is not None:
            kind, code, message = self._reply.error
            details["error"] = {"type": kind, "code": code, "message": message}
        return details

    def _view(self, details: Event | None, usage: Event | None) -> Event:
        stage, config = self._stage, self._stage.config
        view: Event = {
            "id": self.id,
            "object": "realtime.response",
            "status": self.status,
            "output": [output.item.wire() for output in self._outputs],
            "conversation_id": stage.conversation.id if self.in_conversation else None,
        }
        if stage.facts.openai:
            view |= {"status_details": details, "usage": usage, "metadata": self._metadata}
        elif self.status != "in_progress":
            view |= {"usage": usage} | ({} if details is None else {"status_details": details})
        if stage.facts.ga_session:
            output = config["audio"]["output"]
            return view | {
                "output_modalities": ["audio"] if stage.settings.speaks else ["text"],
                "max_output_tokens": config["max_output_tokens"],
                "audio": {"output": {"format": output["format"], "voice": output["voice"]}},
            }
        view["modalities"] = ["text", "audio"] if stage.settings.speaks else ["text"]
        view["voice"] = config.get("voice")
        view["output_audio_format"] = config.get("output_audio_format", "pcm")
        if stage.facts.openai:
            view["temperature"] = config["temperature"]
            view["max_output_tokens"] = config["max_response_output_tokens"]
        return view

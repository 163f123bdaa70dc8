"""A conversation with a wire, without a network and without a clock."""

from __future__ import annotations

import base64
import functools
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from realtime_aliyun._dialect import OMNI_FLAT, OMNI_NESTED, QWEN_AUDIO
from realtime_core.backends.codec import FAST_CODEC
from realtime_core.errors import RealtimeError, VendorError
from realtime_core.events import (
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Interrupted,
    SessionClose,
    SessionOpen,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.options import Options
from realtime_core.wire import (
    STANDARD_CODEC,
    AudioDelta,
    AudioEnd,
    Codec,
    Dialect,
    Effect,
    FlushPlayback,
    OpenAIWire,
    SessionSettings,
    StartRefused,
    WireState,
)
from realtime_openai._dialect import AZURE_GA, OPENAI_BETA, OPENAI_GA

DIALECTS: Mapping[str, Dialect] = {
    "openai_ga": OPENAI_GA,
    "openai_beta": OPENAI_BETA,
    "azure_ga": AZURE_GA,
    "dashscope_omni": OMNI_FLAT,
    "dashscope_omni_nested": OMNI_NESTED,
    "qwen_audio": QWEN_AUDIO,
}
OPENAI = ("openai_ga", "openai_beta", "azure_ga")
DASHSCOPE = ("dashscope_omni", "dashscope_omni_nested", "qwen_audio")
CODECS: Mapping[str, Codec] = {"standard": STANDARD_CODEC, "fast": FAST_CODEC}

FRAMES = Path(__file__).parent.parent / "frames"
MANUAL = Options(disable_server_vad=True)
SECRET = "sk-very-secret-key-0123456789"

Frame = dict[str, Any]

Test = Callable[..., None]


def on(*dialects: str) -> Callable[[Test], Test]:
    """
    Run a test once for each of these dialects, as its argument `dialect`.

    Like `pytest.mark.parametrize`, but as one test: the fixtures of thousands of tests take longer than the tests.
    """

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def run(**arguments: Any) -> None:
            for dialect in dialects:
                try:
                    test(dialect=dialect, **arguments)
                except BaseException as failure:
                    failure.add_note(f"dialect = {dialect}")
                    raise

        signature = inspect.signature(test)
        kept = [each for name, each in signature.parameters.items() if name != "dialect"]
        setattr(run, "__signature__", signature.replace(parameters=kept))  # noqa: B010
        return run

    return decorate


every_dialect = on(*DIALECTS)

_BETA_OF = {
    "response.output_audio.": "response.audio.",
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_text.": "response.text.",
}


def in_beta_names(frame: Frame) -> Frame:
    """The same frame by its older name."""
    for ga, beta in _BETA_OF.items():
        if frame["type"].startswith(ga):
            return {**frame, "type": beta + frame["type"].removeprefix(ga)}
    return frame


def recorded(script: str) -> list[Frame]:
    """The frames of a file below `tests/frames`, one a line."""
    lines = (FRAMES / f"{script}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def pcm(ms: float, rate_hz: int = 24000) -> bytes:
    return bytes(int(rate_hz * ms / 1000) * 2)


def b64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def created(reply: str | None = "R1") -> Frame:
    """A reply of the vendor's own; `Talk.begin` is for one that was asked for."""
    return {"type": "response.created", "response": {"id": reply, "status": "in_progress"}}


def audio(data: bytes | str = b"\1\2", reply: str | None = "R1", item: str | None = "A1") -> Frame:
    delta = data if isinstance(data, str) else b64(data)
    return {
        "type": "response.output_audio.delta",
        "response_id": reply,
        "item_id": item,
        "delta": delta,
    }


def audio_done(reply: str | None = "R1", item: str | None = "A1") -> Frame:
    return {"type": "response.output_audio.done", "response_id": reply, "item_id": item}


def said(delta: str, reply: str | None = "R1", item: str | None = "A1") -> Frame:
    kind = "response.output_audio_transcript.delta"
    return {"type": kind, "response_id": reply, "item_id": item, "delta": delta}


def said_all(text: str, reply: str | None = "R1", item: str | None = "A1") -> Frame:
    kind = "response.output_audio_transcript.done"
    return {"type": kind, "response_id": reply, "item_id": item, "transcript": text}


def done(reply: str | None = "R1", status: str = "completed", **fields: Any) -> Frame:
    response = {"id": reply, "status": status, "output": [], **fields}
    return {"type": "response.done", "response": response}


def message(text: str, item: str = "A1") -> Frame:
    return {"id": item, "type": "message", "content": [{"type": "audio", "transcript": text}]}


def call(call_id: str, arguments: Any = "{}", status: str | None = "completed") -> Frame:
    item = {"id": f"item_{call_id}", "type": "function_call", "call_id": call_id, "name": "look"}
    return {**item, "arguments": arguments, **({"status": status} if status else {})}


def item_done(item: Frame, reply: str | None = "R1") -> Frame:
    return {"type": "response.output_item.done", "response_id": reply, "item": item}


def speech(item: str = "U1", at_ms: int = 100) -> Frame:
    kind = "input_audio_buffer.speech_started"
    return {"type": kind, "item_id": item, "audio_start_ms": at_ms}


def silence(item: str = "U1", at_ms: int = 900) -> Frame:
    kind = "input_audio_buffer.speech_stopped"
    return {"type": kind, "item_id": item, "audio_end_ms": at_ms}


def transcript(kind: str, item: str | None = "U1", **fields: Any) -> Frame:
    name = f"conversation.item.input_audio_transcription.{kind}"
    return {"type": name, "item_id": item, "content_index": 0, **fields}


def error(
    text: Any = "no", *, code: Any = None, kind: Any = "invalid_request_error", event: Any = None
) -> Frame:
    fields = {"type": kind, "code": code, "message": text, "event_id": event, "param": None}
    return {"type": "error", "event_id": "event_server", "error": fields}


def brief(effect: Effect) -> tuple[Any, ...]:
    """An effect in a few words, its vendor and texts for people left out."""
    match effect:
        case SessionOpen():
            return ("open", effect.session_id)
        case SessionClose():
            return ("close", effect.code, effect.initiator)
        case UserSpeechStarted():
            return ("speech", effect.item_id, effect.at_ms, effect.interrupts)
        case UserSpeechEnded():
            return ("silence", effect.item_id, effect.at_ms)
        case UserTranscript():
            return ("heard", effect.text, effect.final, effect.item_id)
        case AssistantText():
            return ("text", effect.text, effect.final, effect.item_id, effect.response_id)
        case AudioDelta():
            return ("audio", effect.pcm, effect.item_id, effect.response_id)
        case AudioEnd():
            return ("audio end", effect.item_id, effect.response_id)
        case FlushPlayback():
            return ("flush", effect.response_id)
        case ToolCall():
            return ("call", effect.call_id, effect.name, effect.arguments)
        case AssistantTurnEnd():
            return ("end", effect.response_id, effect.status)
        case Interrupted():
            cut = ("truncated",) if effect.truncated else ()
            return ("interrupted", effect.item_id, effect.heard_ms, effect.cut_ms, *cut)
        case ErrorEvent():
            return ("error", effect.error.kind.value, effect.fatal)
        case StartRefused():
            return ("refused", effect.error.kind.value)
        case _:
            raise AssertionError(effect)


class Talk:
    """
    A wire, what it asked for and what it sent, since they were last looked at.

    Args:
        dialect: Name of one of `DIALECTS`, or a dialect.
        options: What the application asks for.
        settings: What the tenant sets.
        codec: Reads and writes frames.
    """

    def __init__(
        self,
        dialect: str | Dialect = "openai_ga",
        options: Options | None = None,
        *,
        settings: SessionSettings | None = None,
        codec: Codec = STANDARD_CODEC,
        secrets: tuple[str, ...] = (SECRET,),
    ) -> None:
        ids = count(1)
        self.wire = OpenAIWire(
            vendor="test",
            dialect=DIALECTS[dialect] if isinstance(dialect, str) else dialect,
            settings=settings or SessionSettings(),
            options=options or Options(),
            codec=codec,
            secrets=secrets,
            new_event_id=lambda: f"event_{next(ids)}",
        )
        self.now = 0.0
        self._outbox: list[Frame] = []
        self._asked: Frame = {}

    def say(self, *frames: Frame | bytes) -> Talk:
        """The vendor says something."""
        for frame in frames:
            raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
            self.wire.receive(raw, self.now)
        return self

    def begin(self, reply: str = "R1") -> Talk:
        """The vendor begins the reply that was asked for last, and says so as far as it can."""
        self._collect()
        frame = created(reply)
        metadata = self._asked.get("response", {}).get("metadata")
        return self.say({**frame, "response": {**frame["response"], "metadata": metadata}})

    def wait(self, seconds: float) -> Talk:
        """Time goes by; the timer rings whenever it is due on the way."""
        until = self.now + seconds
        while (due := self.wire.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.wire.on_timer(self.now)
            assert self.wire.deadline() != due, "what was due is still due"
        self.now = until
        return self

    def open(self, session_id: str = "S1") -> Talk:
        """Up to the acknowledgement; what was sent and asked for until then is forgotten."""
        self.wire.open(self.now)
        self.say(
            {"type": "session.created", "session": {"id": session_id}},
            {"type": "session.updated", "session": {"id": session_id}},
        )
        assert self.wire.state is WireState.OPEN
        self.effects()
        self.sent()
        return self

    def effects(self) -> list[Effect]:
        return self.wire.take_effects()

    def told(self) -> list[tuple[Any, ...]]:
        """Everything it asked for."""
        return [brief(effect) for effect in self.wire.take_effects()]

    def told_of(self, *kinds: str) -> list[tuple[Any, ...]]:
        """The same, of these kinds only."""
        return [each for each in self.told() if each[0] in kinds]

    def errors(self) -> list[RealtimeError]:
        """The errors among what it asked for; the rest is forgotten."""
        return [e.error for e in self.effects() if isinstance(e, (ErrorEvent, StartRefused))]

    def vendor_error(self) -> VendorError:
        """The only error."""
        (found,) = self.errors()
        assert isinstance(found, VendorError)
        return found

    def sent(self) -> list[Frame]:
        """The frames it sent."""
        self._collect()
        sent, self._outbox = self._outbox, []
        return sent

    def wishes(self) -> list[str | None]:
        """The instructions of the requests for replies it sent, and nothing else was in any of them."""
        found: list[str | None] = []
        for frame in self.sent():
            if frame["type"] == "response.create":
                response = dict(frame.get("response", {}))
                metadata = {"request": frame["event_id"]} if self.wire.dialect.correlates else None
                assert response.pop("metadata", None) == metadata
                found.append(response.pop("instructions", None))
                assert response == {}
                assert frame.keys() <= {"type", "event_id", "response"}
        return found

    def _collect(self) -> None:
        for raw in self.wire.take_frames():
            frame = json.loads(raw)
            self._outbox.append(frame)
            if frame["type"] == "response.create":
                self._asked = frame

    def kinds(self) -> list[str]:
        """The types of the frames it sent."""
        return [frame["type"] for frame in self.sent()]

    def push(self, ms: float) -> Talk:
        """The caller's audio; its frame is not kept."""
        self.wire.audio_frame(pcm(ms, self.wire.input_rate_hz))
        return self


def texts(effects: Iterable[Effect]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, AssistantText) and effect.final]

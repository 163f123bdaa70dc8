"""Alibaba's own package as a witness: both generations of its client complete audio turns."""

from __future__ import annotations

import asyncio
import base64
import gc
import threading
from collections.abc import Iterator
from typing import Any

import dashscope
import pytest
from dashscope.audio.qwen_omni import (
    AudioFormat,
    MultiModality,
    OmniRealtimeCallback,
    OmniRealtimeConversation,
)

from realtime_core.testing.loopback import LoopbackVendor

from .speech import utterance

WAIT_S = 30.0

pytestmark = [
    pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning"),
    # websocket-client leaves its socket to the garbage collector when the server closes.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def _collect_sockets() -> Iterator[None]:
    yield
    gc.collect()


class Recorder(OmniRealtimeCallback):
    def __init__(self) -> None:
        self.types: list[str] = []
        self.audio = b""
        self.close_code: int | None = None
        self._moments: dict[str, threading.Event] = {}

    def moment(self, kind: str) -> threading.Event:
        return self._moments.setdefault(kind, threading.Event())

    def on_event(self, message: Any) -> None:
        self.types.append(message["type"])
        if message["type"] == "response.audio.delta":
            self.audio += base64.b64decode(message["delta"])
        self.moment(message["type"]).set()

    def on_close(self, close_status_code: Any, close_msg: Any) -> None:
        self.close_code = close_status_code
        self.moment("(closed)").set()


def _first_generation(url: str, model: str, key: str, audio: bytes, *, vad: bool) -> Recorder:
    recorder = Recorder()
    conversation = OmniRealtimeConversation(model=model, callback=recorder, url=url, api_key=key)
    conversation.connect()
    assert recorder.moment("session.created").wait(WAIT_S)
    conversation.update_session(
        output_modalities=[MultiModality.AUDIO, MultiModality.TEXT],
        voice="Ethan",
        input_audio_format=AudioFormat.PCM_16000HZ_MONO_16BIT,
        output_audio_format=AudioFormat.PCM_24000HZ_MONO_16BIT,
        enable_turn_detection=vad,
    )
    assert recorder.moment("session.updated").wait(WAIT_S)
    for at in range(0, len(audio), 3200):
        conversation.append_audio(base64.b64encode(audio[at : at + 3200]).decode())
    if not vad:
        conversation.commit()
        conversation.create_response()
    assert recorder.moment("response.done").wait(WAIT_S)
    conversation.end_session(timeout=5)
    assert recorder.moment("(closed)").wait(WAIT_S)
    conversation.close()
    conversation.thread.join(WAIT_S)
    return recorder


@pytest.mark.parametrize("vad", [True, False])
async def test_first_generation_completes_a_turn(vendor: LoopbackVendor, vad: bool) -> None:
    audio = utterance(16000)
    url, model = vendor.url("dashscope_omni"), "qwen3.5-omni-flash-realtime"
    recorder = await asyncio.to_thread(
        _first_generation, url, model, vendor.api_key, audio, vad=vad
    )
    session = await vendor.session(0)
    assert vendor.violations == []
    assert bytes(session.audio_in) == audio
    turn = session.turns[0]
    assert turn.audio in audio
    assert len(recorder.audio) == len(turn.audio) // 2 * 3
    assert ("input_audio_buffer.speech_started" in recorder.types) is vad
    assert recorder.types[-1] == "session.finished"
    assert recorder.close_code == 1000


def _second_generation(url: str, model: str, key: str, audio: bytes) -> tuple[list[str], bytes]:
    types: list[str] = []
    heard = b""
    with (
        dashscope.Client(api_key=key, workspace="ws-loopback") as client,
        client.audio.realtime.connect(model=model, ws_url=url, timeout=WAIT_S) as session,
    ):
        for event in session.events():
            types.append(event["type"])
            if event["type"] == "session.created":
                session.update_session(["text", "audio"], enable_turn_detection=True)
            elif event["type"] == "session.updated":
                for at in range(0, len(audio), 3200):
                    session.append_audio(audio[at : at + 3200])
            elif event["type"] == "response.audio.delta":
                heard += base64.b64decode(event["delta"])
            elif event["type"] == "response.done":
                break
    return types, heard


@pytest.mark.skipif(not hasattr(dashscope, "Client"), reason="dashscope 2 has this client")
@pytest.mark.parametrize("dialect", ["dashscope_omni", "dashscope_omni_nested", "qwen_audio"])
async def test_second_generation_completes_a_turn(vendor: LoopbackVendor, dialect: str) -> None:
    audio = utterance(16000)
    model = vendor.credential(dialect)["model"]
    types, heard = await asyncio.to_thread(
        _second_generation, vendor.url(dialect), model, vendor.api_key, audio
    )
    assert "input_audio_buffer.speech_started" in types
    assert len(heard) == (300 + 1200) * 48
    assert vendor.violations == []

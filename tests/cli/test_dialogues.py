"""`realtime talk` with several recordings: heard to the end, interrupted, drawn, recorded, with tools."""

from __future__ import annotations

import importlib
import json
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from realtime_core import Agent, Options, Tool, new_agent_from_credential, register, unregister
from realtime_core.testing import Faults, LoopbackVendor, Scenario
from realtime_core.testing.loopback import Call, Reply, Speech
from realtime_core.testing.speech import silence, speech_like
from tests.cli.conftest import QUESTION, Invoke, events_in, running

talk_module = importlib.import_module("realtime_core.cli.talk")

PACE = ("--pace", "10")
CREDENTIAL = ("--credential", "c.json")


def booked(name: str, arguments: dict[str, Any]) -> str:
    return json.dumps({"table": 12})


def tools() -> list[Tool]:
    return [Tool(name="book", handler=booked)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, ms in (("a", 900), ("b", 700), ("c", 800)):
        with wave.open(f"{name}.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(silence(100, 16000) + speech_like(ms, 16000) + silence(100, 16000))
    return tmp_path


@contextmanager
def serving(vendor: LoopbackVendor) -> Iterator[LoopbackVendor]:
    """Run a vendor that sends each answer at once, with its credential in a file."""
    with running(vendor):
        Path("c.json").write_text(json.dumps(vendor.credential("openai_ga")), "utf-8")
        yield vendor


def texts(svg: str) -> list[str]:
    picture = ET.parse(svg).getroot()
    return ["".join(e.itertext()) for e in picture.iter("{http://www.w3.org/2000/svg}text")]


def stereo(path: str) -> tuple[Any, Any, int]:
    with wave.open(path) as file:
        assert file.getnchannels() == 2
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
        return both[:, 0], both[:, 1], file.getframerate()


def stretches(samples: Any, rate_hz: int) -> list[tuple[float, float]]:
    """Give from and to of each sound, in seconds; silence of 300 ms ends one."""
    at = np.flatnonzero(np.abs(samples.astype(int)) > 400) / rate_hz
    breaks = np.flatnonzero(np.diff(at) > 0.3)
    starts = [at[0], *at[breaks + 1]]
    return list(zip(starts, [*at[breaks], at[-1]], strict=True))


def test_each_recording_begins_when_the_answer_before_was_heard_to_its_end(invoke: Invoke) -> None:
    with serving(LoopbackVendor()):
        result = invoke(
            *("talk", "a.wav", "b.wav", "c.wav", *PACE, *CREDENTIAL),
            *("--record", "call.wav", "--plot", "call.svg"),
        )
    assert result.exit_code == 0, result.output
    assert "caller.recording       b.wav" in result.stdout
    assert "turns                          3 completed" in result.stdout
    assert "files written                  call.wav, call.svg" in result.stdout
    left, right, rate_hz = stereo("call.wav")
    said, heard = stretches(left, rate_hz), stretches(right, rate_hz)
    assert len(said) == len(heard) == 3
    for (_, ends), (begins, _) in zip(heard, said[1:], strict=False):
        # 600 ms, the 100 ms of silence a recording begins with, and what is silent at the end of the answer.
        assert 0.6 < begins - ends < 1.6
    for (_, ends), (begins, _) in zip(said, heard, strict=True):
        assert begins > ends


def test_an_interrupted_answer_is_cut_and_drawn_so(invoke: Invoke) -> None:
    with serving(LoopbackVendor()):  # all of an answer is there at once, and so can be cut
        result = invoke(
            *("talk", QUESTION, "a.wav", "b.wav", "--pace", 5, *CREDENTIAL, "--events", "e.jsonl"),
            *("--interrupt-after", "2:800", "--plot", "call.svg", "--record", "call.wav"),
        )
    assert result.exit_code == 0, result.output
    assert "turns                          3 completed" in result.stdout  # made, and not all heard
    (cut,) = [event for event in events_in(Path("e.jsonl")) if "heard_ms" in event]
    assert cut["heard_ms"] > 700
    assert cut["heard_ms"] + cut["cut_ms"] == pytest.approx(3370, abs=50)
    assert "barge-ins                      heard" in result.stdout
    told = texts("call.svg")
    assert (
        f"interrupted: heard {cut['heard_ms'] / 1000:.1f} s, cut {cut['cut_ms'] / 1000:.1f} s"
        in told
    )
    left, right, rate_hz = stereo("call.wav")
    assert stretches(left, rate_hz)[1][0] < stretches(right, rate_hz)[0][1]  # both at once


def test_a_tool_and_its_answer_are_shown_and_drawn(invoke: Invoke) -> None:
    replies = (Reply(parts=(Call(name="book", arguments='{"people": 4}'),)),)
    with serving(LoopbackVendor(scenario=Scenario(replies=replies))) as vendor:
        result = invoke(
            *("talk", "a.wav", *PACE, *CREDENTIAL, "--plot", "call.svg"),
            *("--tools", f"{__name__}:tools"),
        )
        assert result.exit_code == 0, result.output
        offered = [tool["name"] for tool in vendor.sessions[0].config["tools"]]
    assert offered == ["book", "hang_up"]
    assert 'tool.answer            book: {"table": 12}' in result.stdout
    assert 'tool book(people=4) \u2192 {"table": 12}' in texts("call.svg")


@pytest.mark.parametrize(
    "replies",
    [
        (
            Reply(parts=(Call(name="hang_up"),)),
            Reply(parts=(Speech(ms=800, transcript="Goodbye."),)),
        ),
        (Reply(parts=(Speech(ms=800, transcript="Goodbye."), Call(name="hang_up"))),),
    ],
    ids=["before the goodbye", "after it"],
)
def test_the_model_may_hang_up_when_its_goodbye_was_heard(
    replies: tuple[Reply, ...], invoke: Invoke
) -> None:
    with serving(LoopbackVendor(scenario=Scenario(replies=replies))):
        result = invoke(*("talk", "a.wav", "b.wav", *PACE, *CREDENTIAL, "--record", "call.wav"))
    assert result.exit_code == 0, result.output
    assert "b.wav" not in result.stdout.partition("event")[2]
    _, right, rate_hz = stereo("call.wav")
    begins, ends = stretches(right, rate_hz)[0]
    assert ends - begins > 0.7  # whatever the model says after that


def test_a_vendor_that_says_nothing_is_spoken_to_all_the_same(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_core.cli.call.PATIENCE_MS", 20.0)
    with serving(LoopbackVendor(voice=None)):
        result = invoke(*("talk", "a.wav", "b.wav", *PACE, *CREDENTIAL, "--timeout", 4))
    assert result.exit_code == 1
    assert "caller.recording       b.wav" in result.stdout


def test_a_refused_session_is_drawn(invoke: Invoke) -> None:
    with running(LoopbackVendor()) as vendor:
        credential = vendor.credential("openai_ga") | {"apiKey": "sk-wrong"}
        Path("c.json").write_text(json.dumps(credential), "utf-8")
        result = invoke("talk", "a.wav", *CREDENTIAL, "--plot", "call.svg")
    assert result.exit_code == 1
    told = texts("call.svg")
    assert "failed" in told
    assert any(text.startswith("the end: the session did not start") for text in told)


def test_a_lost_session_is_drawn_and_recorded(invoke: Invoke) -> None:
    with serving(LoopbackVendor(faults=Faults(drop_at="mid_audio"))):
        result = invoke(
            *("talk", "a.wav", *PACE, *CREDENTIAL),
            *("--plot", "call.svg", "--record", "call.wav"),
        )
    assert result.exit_code == 1
    assert sum(text.startswith("the end: ") for text in texts("call.svg")) == 1
    assert len(stretches(stereo("call.wav")[0], 24000)) == 1


@pytest.mark.parametrize("option", ["--record", "--plot"])
def test_a_file_that_cannot_be_written_is_told(option: str, invoke: Invoke) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs a device that is always full")
    result = invoke("talk", "a.wav", *PACE, "--loopback", option, "/dev/full")
    assert result.exit_code == 1
    assert "error: cannot write /dev/full: No space left on device" in result.stderr
    assert "files written" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("a.wav --mic", "--mic takes the place of FILE"),
        ("--mic --pace 2", "a microphone has the pace of speech"),
        ("--mic --input-rate 11025", "expected a multiple of 50 Hz"),
        ("a.wav --output-rate 11025", "expected a multiple of 50 Hz"),
        ("a.wav --interrupt-after 100", "needs a second FILE"),
        ("a.wav b.wav --interrupt-after soon", "expected MS, or N:MS with N from 2 to 2, got"),
        ("a.wav b.wav --interrupt-after 3:100", "expected MS, or N:MS with N from 2 to 2"),
        ("a.wav b.wav --interrupt-after 1:100", "expected MS, or N:MS with N from 2 to 2"),
        ("a.wav b.wav --interrupt-after nan", "expected MS, or N:MS with N from 2 to 2"),
        ("a.wav b.wav --record b.wav", "b.wav is in use already"),
        ("a.wav --record x --plot x", "x is in use already"),
        ("a.wav --tools nowhere:tools", "No module named 'nowhere'"),
    ],
)
def test_wrong_use(arguments: str, says: str, invoke: Invoke) -> None:
    result = invoke("talk", *arguments.split())
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("values", "interrupts"),
    [
        ((), {}),
        (("800",), {1: 800, 2: 800}),
        (("3:100", "800"), {1: 800, 2: 100}),
        (("2:0",), {1: 0}),
    ],
)
def test_who_interrupts(values: tuple[str, ...], interrupts: dict[int, float]) -> None:
    assert talk_module._interrupts(values, 3) == interrupts


# Who answers when nobody is named


@pytest.fixture
def in_the_box() -> Iterator[None]:
    """A provider `local`: the loopback vendor's other end."""
    with running(LoopbackVendor(speed=20)) as vendor:

        def provide(cfg: Any, options: Options) -> Agent:
            assert dict(cfg) == {"provider": "local"}
            return new_agent_from_credential(vendor.credential("openai_ga"), options)

        register(provide, "local")
        try:
            yield
        finally:
            unregister("local")


@pytest.mark.usefixtures("in_the_box")
def test_local_answers_when_nobody_is_named(invoke: Invoke) -> None:
    result = invoke("talk", "a.wav", *PACE)
    assert result.exit_code == 0, result.output
    first, second, third = result.stdout.splitlines()[:3]
    assert first == "No vendor is contacted: the provider local answers, on this machine."
    assert second.startswith("For a real one: --provider openai, its key in OPENAI_API_KEY")
    assert third == "a.wav, 1.1 s at 16000 Hz, goes to local"


@pytest.mark.usefixtures("in_the_box")
def test_the_loopback_vendor_answers_where_it_is_asked_for(invoke: Invoke) -> None:
    assert "the loopback vendor" in invoke("talk", "a.wav", *PACE, "--loopback").stdout
    assert "goes to aliyun_omni" in invoke("talk", "a.wav", *PACE, "--dialect", "qwen_audio").stdout

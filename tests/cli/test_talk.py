"""`realtime talk` over real WebSockets to the loopback vendor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from realtime_core import UserTranscript
from realtime_core.cli.event_log import EventLog
from realtime_core.cli.wav import read_wav
from realtime_core.testing import DIALECTS, Faults, LoopbackVendor
from tests.cli.conftest import FAST, QUESTION, Invoke, events_in, running

Samples = npt.NDArray[np.float64]


def samples(path: Path, rate_hz: int) -> Samples:
    recording = read_wav(path)
    audio = np.frombuffer(recording.pcm, dtype="<i2").astype(np.float64)
    resampled: Samples = soxr.resample(audio, recording.rate_hz, rate_hz)
    return resampled


def correlation(spoken: Samples, reply: Samples) -> float:
    """Slide the reply along what was spoken; give the normalised correlation where they fit best."""
    size = 1 << (spoken.size + reply.size).bit_length()
    products = np.fft.irfft(np.fft.rfft(spoken, size) * np.conj(np.fft.rfft(reply, size)), size)
    lag = int(np.argmax(products[: spoken.size - reply.size + 1]))
    part = spoken[lag : lag + reply.size]
    return float(np.dot(part, reply) / np.sqrt(np.dot(part, part) * np.dot(reply, reply)))


@pytest.mark.parametrize("rate_hz", [24000, 16000, 8000])
@pytest.mark.parametrize("provider", ["openai", "aliyun_omni"])
def test_the_reply_is_what_was_spoken(
    provider: str, rate_hz: int, invoke: Invoke, tmp_path: Path
) -> None:
    reply = tmp_path / "reply.wav"
    result = invoke(
        *("talk", QUESTION, *FAST, "--loopback", "--provider", provider),
        *("--out", reply, "--output-rate", rate_hz),
    )
    assert result.exit_code == 0, result.output
    heard = read_wav(reply)
    assert (heard.rate_hz, heard.channels) == (rate_hz, 1)
    assert 3.0 < heard.duration_s < 4.0  # the utterance and its prefix, not the silence around it
    assert correlation(samples(QUESTION, rate_hz), samples(reply, rate_hz)) > 0.99


@pytest.mark.parametrize("provider", ["openai", "aliyun_omni"])
def test_the_order_of_events_is_the_documented_one(
    provider: str, invoke: Invoke, tmp_path: Path
) -> None:
    log = tmp_path / "events.jsonl"
    result = invoke("talk", QUESTION, *FAST, "--loopback", "--provider", provider, "--events", log)
    assert result.exit_code == 0, result.output
    events = events_in(log)
    types = [event["type"] for event in events]
    first = {kind: types.index(kind) for kind in types}
    last = {kind: index for index, kind in enumerate(types)}
    assert types[0] == "session.open"
    assert types[-1] == "session.close"
    assert first["user.speech.started"] < first["user.speech.ended"]
    for kind in ("assistant.text", "assistant.audio"):
        assert first["user.speech.ended"] < first[kind]
        assert last[kind] < first["assistant.turn.end"]
    once = {"session.open", "session.close", "user.speech.started", "assistant.turn.end"}
    assert {kind: types.count(kind) for kind in once} == dict.fromkeys(once, 1)
    times = [event["t_ms"] for event in events]
    assert times == sorted(times)
    assert times[0] == 0


def test_the_event_file_holds_every_field_and_counts_audio(invoke: Invoke, tmp_path: Path) -> None:
    log, reply = tmp_path / "events.jsonl", tmp_path / "reply.wav"
    invoke("talk", QUESTION, *FAST, "--loopback", "--events", log, "--out", reply)
    events = events_in(log)
    audio = [event for event in events if event["type"] == "assistant.audio"]
    assert set(audio[0]) == {
        *("t_ms", "type", "vendor", "audio_bytes", "audio_ms", "item_id", "response_id"),
    }
    assert sum(event["audio_bytes"] for event in audio) == len(read_wav(reply).pcm)
    assert sum(event["audio_ms"] for event in audio) / 1000 == pytest.approx(
        read_wav(reply).duration_s
    )
    (end,) = [event for event in events if event["type"] == "assistant.turn.end"]
    assert end["status"] == "completed"
    assert end["usage"]["output_tokens"] > 0
    assert end["tool_names"] == []
    assert events[-1] | {"t_ms": 0} == {
        "t_ms": 0, "type": "session.close", "vendor": "openai_realtime",
        "code": 1000, "reason": "", "initiator": "client",
    }  # fmt: skip


def test_an_event_with_half_a_letter_is_written_all_the_same(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e.jsonl", 24000)
    log.take(0, UserTranscript(vendor="x", text="a\ud800b \u597d", final=True))
    log.close()
    assert events_in(log.path)[0]["text"] == "a\ud800b \u597d"


def test_without_any_provider_named_and_without_local_it_is_the_loopback_vendor(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_core.cli.partner.registered_providers", lambda: ["openai"])
    result = invoke("talk", QUESTION, *FAST)
    assert result.exit_code == 0, result.output
    assert "No vendor is contacted" in result.stdout
    assert "--provider openai, its key in OPENAI_API_KEY" in result.stdout
    assert result.stderr == ""


def test_the_summary_names_every_figure(invoke: Invoke, tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    result = invoke("talk", QUESTION, *FAST, "--loopback", "--out", reply)
    lines = result.stdout.split("\n\n")[-1].splitlines()
    rows = {line[:30].strip(): line[31:] for line in lines}
    assert rows["provider"] == "openai, gpt-realtime-2.1, on the loopback vendor"
    assert rows["time to session"].endswith(" ms")
    assert rows["end of speech to first audio"].endswith(" ms")
    assert rows["turns"] == "1 completed"
    assert rows["tokens in, out"] == "34, 75"
    assert rows["drops"] == "none"
    assert rows["session close"] == "by the client, code 1000"
    assert rows["files written"] == str(reply)
    assert rows["audio in, out"].endswith(" s, 3.37 s")
    assert int(rows["events"]) > 10


TERMINAL = {"TTY_COMPATIBLE": "1", "TERM": "xterm"}


def test_on_a_terminal_the_live_view_is_shown(invoke: Invoke) -> None:
    result = invoke("talk", QUESTION, *FAST, "--loopback", env=TERMINAL)
    assert result.exit_code == 0, result.output
    assert "4.9 of 4.9 s sent" in result.stdout
    assert "time to session" in result.stdout
    assert "assistant.turn.end" in result.stdout


def test_plain_gives_lines_even_on_a_terminal(invoke: Invoke) -> None:
    lines = invoke("talk", QUESTION, *FAST, "--loopback", "--plain", env=TERMINAL).stdout
    assert "assistant.turn.end     completed" in lines
    assert "\x1b" not in lines


@pytest.mark.parametrize(
    "env", [{"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "0"}]
)
def test_a_log_that_may_be_coloured_gets_lines(env: dict[str, str], invoke: Invoke) -> None:
    lines = invoke("talk", QUESTION, *FAST, "--loopback", env=env).stdout
    assert lines.count("session.open") == 1
    assert "\x1b" not in lines


def test_wrong_use_on_a_terminal_leaves_it_alone(invoke: Invoke) -> None:
    result = invoke("talk", QUESTION, "--provider", "nobody", env=TERMINAL)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "no provider is installed for slug 'nobody'" in result.stderr


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_of_the_loopback_vendor(dialect: str, invoke: Invoke) -> None:
    result = invoke("talk", QUESTION, *FAST, "--dialect", dialect)
    assert result.exit_code == 0, result.output
    assert "on the loopback vendor" in result.stdout


def test_an_alias_of_a_provider_is_spoken_for(invoke: Invoke) -> None:
    result = invoke("talk", QUESTION, *FAST, "--loopback", "--provider", "Qwen_Omni")
    assert result.exit_code == 0, result.output
    assert "goes to Qwen_Omni, qwen3.5-omni-flash-realtime\n" in result.stdout


def test_the_recording_is_resampled_on_request(invoke: Invoke, tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    result = invoke("talk", QUESTION, *FAST, "--loopback", "--input-rate", 8000, "--out", reply)
    assert result.exit_code == 0, result.output
    assert "4.9 s at 8000 Hz" in result.stdout
    narrow = soxr.resample(soxr.resample(samples(QUESTION, 16000), 16000, 8000), 8000, 24000)
    assert correlation(narrow, samples(reply, 24000)) > 0.99


# A vendor of its own, with a credential


def stored(tmp_path: Path, credential: dict[str, Any]) -> Path:
    path = tmp_path / "credential.json"
    path.write_text(json.dumps(credential), "utf-8")
    return path


def test_a_stored_credential_is_used_and_the_options_reach_the_vendor(
    invoke: Invoke, tmp_path: Path
) -> None:
    with running(LoopbackVendor(speed=40)) as vendor:
        credential = stored(tmp_path, vendor.credential("openai_ga"))
        result = invoke(
            *("talk", QUESTION, *FAST, "--credential", credential),
            *("--voice", "marin", "--instructions", "Be brief."),
        )
        assert result.exit_code == 0, result.output
        assert "No vendor is contacted" not in result.stdout
        (session,) = vendor.sessions
        assert session.violations == []
        assert session.config["instructions"] == "Be brief."
        assert session.config["audio"]["output"]["voice"] == "marin"


def test_the_provider_option_wins_over_the_credential_from_standard_input(invoke: Invoke) -> None:
    with running(LoopbackVendor(speed=40)) as vendor:
        credential = vendor.credential("dashscope_omni") | {"provider": "openai"}
        result = invoke(
            *("talk", QUESTION, *FAST, "--credential", "-", "--provider", "aliyun_omni"),
            input=json.dumps(credential),
        )
        assert result.exit_code == 0, result.output
        assert len(vendor.sessions) == 1


def test_the_key_comes_from_the_environment(invoke: Invoke) -> None:
    with running(LoopbackVendor(api_key="from-environment", speed=40)) as vendor:
        result = invoke(
            *("talk", QUESTION, *FAST, "--provider", "openai"),
            env={"OPENAI_API_KEY": "from-environment", "OPENAI_BASE_URL": vendor.url("openai_ga")},
        )
    assert result.exit_code == 0, result.output
    assert "from-environment" not in result.output


def test_with_loopback_the_stored_key_goes_nowhere(invoke: Invoke, tmp_path: Path) -> None:
    credential = {
        "provider": "openai",
        "api_key": "sk-tenant",
        "base_url": "wss://vendor.invalid",
        "headers": {"Authorization": "Bearer sk-tenant"},
        "voice": "marin",
    }
    result = invoke(
        "talk", QUESTION, *FAST, "--loopback", "--credential", stored(tmp_path, credential)
    )
    assert result.exit_code == 0, result.output
    assert "sk-tenant" not in result.output


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga", "dashscope_omni"])
def test_a_refused_key_is_told_once_and_without_the_key(
    dialect: str, invoke: Invoke, tmp_path: Path
) -> None:
    log, reply = tmp_path / "events.jsonl", tmp_path / "reply.wav"
    with running(LoopbackVendor()) as vendor:
        credential = vendor.credential(dialect) | {"apiKey": "sk-wrong-key"}
        result = invoke(
            *("talk", QUESTION, *FAST, "--credential", stored(tmp_path, credential)),
            *("--events", log, "--out", reply),
        )
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the session did not start: ")
    assert "(auth)" in result.stderr
    assert "check the key" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "sk-wrong-key" not in result.output
    assert not log.exists()  # a session that never was leaves no files, and harms none
    assert not reply.exists()


def test_a_session_that_is_lost_is_told_once_and_keeps_its_files(
    invoke: Invoke, tmp_path: Path
) -> None:
    log, reply = tmp_path / "events.jsonl", tmp_path / "reply.wav"
    faults = Faults(drop_at="mid_audio")
    with running(LoopbackVendor(faults=faults)) as vendor:
        result = invoke(
            *("talk", QUESTION, *FAST, "--events", log, "--out", reply),
            *("--credential", stored(tmp_path, vendor.credential("openai_ga"))),
        )
    assert result.exit_code == 1
    events = events_in(log)
    (error,) = [event for event in events if event["type"] == "error"]
    assert error["fatal"] is True
    assert error["error"]["class"] == "SessionLostError"
    assert result.stderr.startswith("error: the session ended: ")
    assert result.output.count(error["error"]["message"].rstrip(".")) == 1
    assert events[-1]["type"] == "session.close"
    # A connection that breaks may take audio with it that was on its way.
    assert reply.stat().st_size == 44 + sum(event.get("audio_bytes", 0) for event in events)
    assert "session close" in result.stdout


def test_a_vendor_that_never_answers_is_given_up(invoke: Invoke, tmp_path: Path) -> None:
    with running(LoopbackVendor(voice=None)) as vendor:
        credential = stored(tmp_path, vendor.credential("openai_ga"))
        result = invoke("talk", QUESTION, *FAST, "--credential", credential, "--timeout", 4)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: no reply within 4 s (--timeout): the vendor heard no speech; "
        "listen to the recording, is it too faint?\n"
    )
    assert "session close                  by the client" in result.stdout


def test_a_handshake_that_never_ends_is_given_up(invoke: Invoke, tmp_path: Path) -> None:
    with running(LoopbackVendor(faults=Faults(never_handshake=True))) as vendor:
        credential = stored(tmp_path, vendor.credential("openai_ga"))
        result = invoke("talk", QUESTION, "--credential", credential, "--timeout", 0.2)
    assert result.exit_code == 1
    assert "the session did not open" in result.stderr

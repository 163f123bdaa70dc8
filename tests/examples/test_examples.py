"""The programs under examples/ as a reader runs them: in a process of their own, without a key."""

from __future__ import annotations

import json
import re
import runpy
import signal
import socket
import subprocess
import sys
import wave
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTION = EXAMPLES / "audio" / "question.wav"
LIMIT_S = 120

any_voice = pytest.mark.skipif(
    which("flite") is None and which("espeak-ng") is None and find_spec("espeakng_loader") is None,
    reason="no speech synthesis: neither flite nor espeak-ng nor espeakng-loader is there",
)


def run(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def test_hello_prints_a_turn_in_order(tmp_path: Path) -> None:
    done = run("hello.py", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    kinds = [line.partition("(")[0] for line in done.stdout.splitlines()]
    assert kinds[:3] == ["SessionOpen", "UserSpeechStarted", "UserSpeechEnded"]
    assert kinds.count("AssistantAudio") > 1
    assert kinds[-1] == "AssistantTurnEnd"


def test_wav_to_wav_writes_what_the_parrot_heard(tmp_path: Path) -> None:
    done = run("wav_to_wav.py", str(QUESTION), "answer.wav", "--speed", "10", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "assistant: I heard 3.1 seconds of speech." in done.stdout
    with wave.open(str(tmp_path / "answer.wav")) as answer:
        assert answer.getframerate() == 16000
        assert 3.0 < answer.getnframes() / answer.getframerate() < 4.0


def test_control_plane_describes_providers_and_checks_a_credential(tmp_path: Path) -> None:
    done = run("control_plane.py", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    wheels = {provider["distribution"]: provider for provider in answer["providers"]}
    key = wheels["realtime-openai"]["credential_schema"]["properties"]["apiKey"]
    assert key["writeOnly"] is True
    assert answer["check"]["ok"] is True


def test_control_plane_says_what_is_wrong_with_a_credential(tmp_path: Path) -> None:
    (tmp_path / "credential.json").write_text('{"provider": "openai", "apiKey": 5}')

    done = run("control_plane.py", "--credential", "credential.json", cwd=tmp_path)

    assert done.returncode == 1
    check = json.loads(done.stdout)["check"]
    assert (check["ok"], check["kind"], check["retryable"]) == (False, "config", False)
    assert "apiKey" in check["message"]


def test_greeting_bot_speaks_before_the_caller_does(tmp_path: Path) -> None:
    done = run("greeting_bot.py", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "assistant: Hello, how can I help you?"
    assert sorted(said[1:3]) == [
        "assistant: I heard 3.1 seconds of speech.",
        "caller:    Speech of 3.1 seconds.",
    ]
    assert said[3].endswith("in 2 replies")


def test_tool_bot_speaks_of_what_both_tools_found(tmp_path: Path) -> None:
    done = run("tool_bot.py", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    first, second, answer = done.stdout.splitlines()
    assert first == "calls opening_hours({'day': 'Friday'})"
    assert second == "calls free_tables({})"
    assert answer.startswith("assistant: The tool says: open on Friday")
    assert "20:30" in answer


def test_push_to_talk_cuts_the_answer_when_the_key_goes_down(tmp_path: Path) -> None:
    done = run("push_to_talk.py", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "cut: 300 ms heard, model told: True" in said
    assert said[-2:] == ["assistant: I heard 4.9 seconds of speech.", "reply 2 completed"]


def test_phone_loop_tells_how_much_of_the_answer_was_heard(tmp_path: Path) -> None:
    done = run("phone_loop.py", "--speed", "8", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    cuts = re.findall(r"^interrupted: (\d+) ms heard, (\d+) ms cut$", done.stdout, re.MULTILINE)
    assert len(cuts) == 1
    heard_ms, cut_ms = map(int, cuts[0])
    # 600 ms until the caller begins, half a second until they are heard; whole frames of 20 ms
    assert 600 < heard_ms < 3000
    assert heard_ms % 20 == 0
    received = re.search(r"pushed, (\d+) ms received", done.stdout)
    assert received is not None
    assert abs(2 * (heard_ms + cut_ms) - int(received[1])) < 40  # the parrot said it twice


@any_voice
def test_local_desk_books_a_table_and_is_cut_off(tmp_path: Path) -> None:
    done = run("local_desk.py", "--speed", "8", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.split(":")[0] for line in said].count("caller") == 7
    assert len([line for line in said if line.startswith("interrupted:")]) == 1
    assert "calls book_table({'people': 4, 'day': 'friday', 'time': '19:30'})" in said
    assert said[-2:] == [
        "assistant: Thank you for your call. Good bye.",
        "booked: 4 people, friday at 19:30",
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_example_takes_a_credential(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])

    with pytest.raises(SystemExit) as ended:  # in this process: nine more would only import again
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    assert ended.value.code == 0
    assert "--credential" in capsys.readouterr().out


def test_answer_calls_answers_one_and_stops(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / "answer_calls.py"), "--audiosocket-port", "0", "--http-port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert program.stdout is not None
        port = re.search(r"AudioSocket on port (\d+)", program.stdout.readline())
        assert port is not None
        with socket.create_connection(("127.0.0.1", int(port[1])), timeout=LIMIT_S) as call:
            call.sendall(b"\x01\x00\x10" + bytes(16) + b"\x10\x01\x40" + bytes(320))
            heard = b""
            while not any(heard[3:]) or len(heard) < 323:  # the greeting is not silence
                heard = call.recv(323, socket.MSG_WAITALL)
        # What was said before may have been cut short.
        assert any("ended by caller" in line for line in iter(program.stdout.readline, ""))
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=LIMIT_S)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == 0, errors

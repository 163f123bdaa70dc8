"""The programs under examples/ as a reader runs them: in a process of their own, without a key."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTION = EXAMPLES / "audio" / "question.wav"
LIMIT_S = 30


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
    wheels = {provider["wheel"]: provider for provider in answer["providers"]}
    key = wheels["realtime-openai"]["credentialSchema"]["properties"]["apiKey"]
    assert key["writeOnly"] is True
    assert answer["check"]["ok"] is True


def test_control_plane_says_what_is_wrong_with_a_credential(tmp_path: Path) -> None:
    (tmp_path / "credential.json").write_text('{"provider": "openai", "apiKey": 5}')

    done = run("control_plane.py", "--credential", "credential.json", cwd=tmp_path)

    assert done.returncode == 1
    check = json.loads(done.stdout)["check"]
    assert (check["ok"], check["kind"], check["retryable"]) == (False, "config", False)
    assert "apiKey" in check["message"]


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_example_takes_a_credential(name: str, tmp_path: Path) -> None:
    done = run(name, "--help", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "--credential" in done.stdout

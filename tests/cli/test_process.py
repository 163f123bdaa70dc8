"""The command as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import realtime_core.cli
from realtime_core.cli.wav import read_wav
from tests.cli.conftest import QUESTION, events_in

COMMAND = (sys.executable, "-P", "-m", "realtime_core.cli")


def complaints(stderr: str) -> list[str]:
    """Give what it complains of; a machine that stands still makes a callback look slow."""
    return [line for line in stderr.splitlines() if "on_event took" not in line]


def test_a_turn_on_the_loopback_vendor(tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *COMMAND,
            "talk",
            str(QUESTION),
            "--loopback",
            "--pace",
            "20",
            "--out",
            str(tmp_path / "reply.wav"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, complaints(ran.stderr)) == (0, [])
    assert "assistant.turn.end     completed" in ran.stdout
    assert read_wav(tmp_path / "reply.wav").duration_s > 3


def test_what_the_output_cannot_write_is_replaced(tmp_path: Path) -> None:
    recording = tmp_path / "\u4f60\u597d.wav"
    recording.write_bytes(QUESTION.read_bytes())
    ran = subprocess.run(
        [*COMMAND, "talk", str(recording), "--loopback", "--pace", "20"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        check=False,
    )
    assert (ran.returncode, complaints(ran.stderr.decode())) == (0, [])
    assert b"??.wav, 4.9 s" in ran.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("output", ["a pipe nobody reads", "a full disk"])
def test_a_call_goes_on_where_what_it_prints_is_lost(output: str, tmp_path: Path) -> None:
    reader, pipe = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    ran = subprocess.run(
        [
            *COMMAND, "talk", str(QUESTION), "--loopback", "--pace", "20",
            "--out", str(tmp_path / "reply.wav"), "--plot", str(tmp_path / "call.svg"),
        ],
        stdout=full if output == "a full disk" else pipe,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )  # fmt: skip
    for descriptor in (pipe, full):
        os.close(descriptor)
    assert (ran.returncode, complaints(ran.stderr)) == (0, [])
    assert read_wav(tmp_path / "reply.wav").duration_s > 3
    assert "completed" in (tmp_path / "call.svg").read_text("utf-8")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize(
    ("moment", "pace"),
    # The signal has to come before the answer is over, however busy the machine.
    [("session.open", "4"), ("assistant.audio", "1")],
)
def test_ctrl_c_ends_the_session_and_keeps_the_files(
    moment: str, pace: str, tmp_path: Path
) -> None:
    log, reply = tmp_path / "events.jsonl", tmp_path / "reply.wav"
    with subprocess.Popen(
        [
            *COMMAND, "talk", str(QUESTION), "--loopback", "--pace", pace,
            "--out", str(reply), "--events", str(log),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell has Ctrl-C switched off, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if moment in line:
                process.send_signal(signal.SIGINT)
                break
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, complaints(errors)) == (130, [])
    assert "session close                  by the client, code 1000" in rest
    events = events_in(log)
    assert events[0]["type"] == "session.open"
    assert events[-1]["type"] == "session.close"
    assert sum(event["type"] == "session.close" for event in events) == 1
    audio = sum(event.get("audio_bytes", 0) for event in events)
    assert reply.stat().st_size == 44 + audio
    if moment == "assistant.audio":
        assert 0 < audio < 3.3 * 48000
        assert len(read_wav(reply).pcm) == audio


@pytest.mark.parametrize("arguments", [["--help"], ["talk", "--help"], ["--version"]])
def test_help_comes_fast(arguments: list[str]) -> None:
    program = (
        "import json, sys\n"
        "from realtime_core.cli import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print(json.dumps([end.code, sorted(sys.modules)]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    code, modules = json.loads(ran.stdout.splitlines()[-1])
    assert code == 0
    heavy = {"aiohttp", "numpy", "soxr", "rich", "msgspec", "cattrs"}
    assert heavy & set(modules) == set()


def test_main_ends_the_process_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["realtime", "sing"])
    with pytest.raises(SystemExit) as end:
        realtime_core.cli.main()
    assert end.value.code == 2


def test_ctrl_c_while_it_is_loaded_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "realtime_core.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "realtime_core.cli.commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        realtime_core.cli.main()
    assert end.value.code == 130


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_it_names_the_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        realtime_core.cli, "find_spec", lambda name: None if name == missing else object()
    )
    with pytest.raises(SystemExit) as end:
        realtime_core.cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "realtime needs the extra: pip install 'realtime-core[cli]'\n"

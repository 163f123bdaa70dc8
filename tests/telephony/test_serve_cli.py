"""`realtime serve-calls` as people and service managers run it."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from realtime_telephony.audiosocket_frames import CallId, encode
from realtime_telephony.console import Console
from realtime_telephony.routing import load_routing
from realtime_telephony.serve import _serve, serve_calls
from realtime_telephony.signals import Asked
from tests.telephony.fakes.asterisk import AudioSocketCaller
from tests.telephony.fakes.media import eventually
from tests.telephony.test_server import UUID_1

PROGRAM = (
    "import sys; from realtime_core.cli.commands import realtime; "
    "from realtime_telephony.serve import serve_calls; realtime.add_command(serve_calls); "
    "sys.exit(realtime.main(prog_name='realtime', standalone_mode=False) or 0)"
)  # what the console script does, the wheel installed or not
COMMAND = (sys.executable, "-P", "-c", PROGRAM, "serve-calls")
CONFIG = """
[server]
drain_s = {drain_s}
[server.audiosocket]
port = {port}
[server.http]
port = 0
[[route]]
name = "lift"
uuid = "*"
credential = {{ provider = "openai", apiKey = "${{OPENAI_API_KEY}}", baseUrl = "ws://127.0.0.1:1" }}
fallback = "sorry.wav"
"""
posix = pytest.mark.skipif(os.name != "posix", reason="sends signals")

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)

    def run(*args: object) -> Result:
        result = CliRunner().invoke(serve_calls, [str(arg) for arg in args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "calls.toml"
    with wave.open(str(tmp_path / "sorry.wav"), "wb") as sorry:
        sorry.setnchannels(1)
        sorry.setsampwidth(2)
        sorry.setframerate(8000)
        sorry.writeframes(b"\x03\x03" * 16000)
    path.write_text(CONFIG.format(drain_s=30, port=0))
    return path


def test_it_is_offered_as_a_subcommand() -> None:
    assert isinstance(serve_calls, click.Command)
    assert serve_calls.name == "serve-calls"


def test_check_says_that_a_file_is_right(invoke: Invoke, config: Path) -> None:
    result = invoke("--config", config, "--check")
    assert result.exit_code == 0
    assert result.output == (
        f"Routes, the first that fits takes a call:\n  lift  uuid *  openai\n{config}: right\n"
    )


def test_check_says_what_is_wrong(invoke: Invoke, config: Path) -> None:
    config.write_text(config.read_text() + "voise = 'x'\n")
    result = invoke("--config", config, "--check")
    assert result.exit_code == 2
    said = f"Error: {config}, line 13: route[1].voise: unknown key; did you mean 'voice'?"
    assert said in result.output


def test_a_wrong_credential_is_found_before_anything_listens(invoke: Invoke, config: Path) -> None:
    config.write_text(config.read_text().replace('"openai"', '"opnai"'))
    result = invoke("--config", config)
    assert result.exit_code == 2
    assert "route[1].credential: no provider is installed for slug 'opnai'" in result.output
    assert "Listening" not in result.output


def test_the_example_is_printed(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTIME_CALLS_SECRET", "correct horse battery staple")
    example = tmp_path / "calls.toml"
    example.write_text(invoke("--example").output)
    assert invoke("--config", example, "--check").exit_code == 0


def test_wrong_use_is_told(invoke: Invoke, config: Path) -> None:
    result = invoke()
    assert (result.exit_code, "expected --config TOML" in result.output) == (2, True)
    result = invoke("--config", config, "--check", "--no-check")
    assert (result.exit_code, "exclude each other" in result.output) == (2, True)
    assert invoke("--config", config.parent / "gone.toml").exit_code == 2


def test_an_address_in_use_ends_it_with_1(invoke: Invoke, config: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        config.write_text(CONFIG.format(drain_s=1, port=other.getsockname()[1]))
        result = invoke("--config", config, "--no-check")
    assert result.exit_code == 1
    assert "error: cannot listen: " in result.output


def test_help_loads_nothing_heavy() -> None:
    program = "import sys; import realtime_telephony.serve; print(sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert "'soxr'" not in ran.stdout
    assert "'realtime_telephony.server'" not in ran.stdout


@contextmanager
def running(config: Path) -> Iterator[tuple[subprocess.Popen[str], list[str], int]]:
    """The command as a process; gives what it said until it listened, and AudioSocket's port."""
    environment = {**os.environ, "OPENAI_API_KEY": "sk-very-secret"}
    with subprocess.Popen(
        [*COMMAND, "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A test run in the background of a shell has Ctrl-C switched off, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout is not None
            said: list[str] = []
            for line in process.stdout:
                said.append(line)
                if line.startswith("At most"):
                    break
            found = re.search(r"tcp://127\.0\.0\.1:(\d+)", "".join(said))
            assert found, (said, process.stderr.read() if process.stderr else "")
            yield process, said, int(found[1])
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def calling(port: int) -> Iterator[socket.socket]:
    """A call that is answered: we hear something, if only the silence before the apology."""
    with socket.create_connection(("127.0.0.1", port), 10) as call:
        call.sendall(encode(CallId(UUID_1)))
        call.sendall(b"\x10\x01\x40" + bytes(320))
        assert call.recv(1)
        yield call


@posix
@pytest.mark.parametrize(("signals", "code"), [(1, 0), (2, 130)])
async def test_it_serves_until_signals_end_it(
    config: Path,
    signals: int,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    routing = await asyncio.to_thread(load_routing, config)
    said = ""

    def says(text: str) -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return text in said

    stack = ExitStack()
    serving = asyncio.create_task(
        _serve(routing, stack.enter_context(Console("ERROR")), lambda: routing, Asked())
    )
    await _until_signals_end_it(serving, says, lambda: said, signals, code)
    await asyncio.to_thread(stack.close)
    assert says("stopped\n")
    assert gc.get_freeze_count() == 0
    assert signal.getsignal(signal.SIGTERM) is before


async def _until_signals_end_it(
    serving: asyncio.Task[int],
    says: Callable[[str], bool],
    said: Callable[[], str],
    signals: int,
    code: int,
) -> None:

    await eventually(lambda: says("At most 20 calls"))
    found = re.search(r"tcp://127\.0\.0\.1:(\d+)", said())
    assert found
    async with AudioSocketCaller(int(found[1]), uuid=UUID_1) as caller:
        await caller.wait_for(lambda: bool(caller.heard))
        assert gc.get_freeze_count() > 0  # a full collection does not walk all modules during calls
        for _ in range(signals):
            signal.raise_signal(signal.SIGTERM)
        await eventually(lambda: says("stopping: 1 calls are up"))
        assert await asyncio.wait_for(serving, 60) == code


@posix
def test_sigterm_without_calls_ends_it_with_0(config: Path) -> None:
    with running(config) as (process, said, _port):
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert rest == "stopping: 0 calls are up\nstopped\n"
    assert said[0] == "Listening:\n"
    assert any("ws://127.0.0.1:" in line and line.endswith("/asterisk\n") for line in said)
    assert "  lift  uuid *  openai\n" in said


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_with_a_call_up_lets_it_end_first(config: Path, number: signal.Signals) -> None:
    # The vendor cannot be reached, so the caller hears the apology, and is then hung up: that is the call's own end.
    with running(config) as (process, _said, port):
        with calling(port) as call:
            process.send_signal(number)
            while call.recv(65536):
                pass
        rest, _errors = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = rest.splitlines()
    assert lines[0] == "stopping: 1 calls are up"
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ call leg=audiosocket id={UUID_1} route=lift provider=openai "
        r"duration_s=\d+\.\d ended_by=failure turns=0 .* error=.*",
        lines[1],
    )
    assert lines[2:] == ["stopped"]
    assert "sk-very-secret" not in rest


@posix
def test_a_call_that_outlasts_the_drain_is_hung_up(config: Path) -> None:
    config.write_text(CONFIG.format(drain_s=0, port=0))
    with running(config) as (process, _said, port):
        with calling(port) as call:
            process.send_signal(signal.SIGTERM)
            while call.recv(65536):
                pass
        rest, _errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "ended_by=" in rest
    assert rest.endswith("stopped\n")


@posix
def test_a_second_signal_ends_it_at_once_with_130(config: Path) -> None:
    with running(config) as (process, _said, port):
        with calling(port) as call:
            assert process.stdout is not None
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "stopping: 1 calls are up\n"
            process.send_signal(signal.SIGTERM)
            while call.recv(65536):
                pass
        rest, _errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "ended_by=us" in rest
    assert rest.endswith("stopped\n")


@posix
def test_a_reader_that_is_gone_ends_neither_calls_nor_their_order(config: Path) -> None:
    with running(config) as (process, _said, port):
        assert process.stdout is not None
        with calling(port) as call:
            process.stdout.close()
            process.send_signal(signal.SIGTERM)
            while call.recv(65536):
                pass
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(60) == 0
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


@posix
def test_sighup_reads_the_routes_again_and_a_wrong_file_changes_nothing(config: Path) -> None:
    right = config.read_text()
    with running(config) as (process, _said, _port):
        assert process.stdout is not None
        assert process.stderr is not None
        config.write_text(right.replace('name = "lift"', 'name = "tower"'))
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "Routes, the first that fits takes a call:\n"
        assert process.stdout.readline() == "  tower  uuid *  openai\n"
        config.write_text(right.replace('"openai"', '"opnai"'))
        process.send_signal(signal.SIGHUP)
        refusal = process.stderr.readline()
        assert (
            f" ERROR realtime_telephony.server: the routes stay as they were: {config}, line "
            in refusal
        )
        assert ": route[1].credential: no provider" in refusal
        config.write_text(right.replace("drain_s = 30", "drain_s = 31"))
        process.send_signal(signal.SIGHUP)
        assert "[server] of the routing file has changed" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        rest, _errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert rest.endswith("  lift  uuid *  openai\nstopping: 0 calls are up\nstopped\n")


@posix
def test_sighup_while_it_starts_is_kept_until_it_serves(config: Path) -> None:
    tools = "import os, signal\nfree = []\nos.kill(os.getpid(), signal.SIGHUP)\n"  # while the file is read
    (config.parent / "tools_that_reload.py").write_text(tools, encoding="utf-8")
    config.write_text(config.read_text() + 'tools = "tools_that_reload:free"\n')
    with running(config) as (process, _said, _port):
        assert process.stdout is not None
        assert process.stdout.readline() == "Routes, the first that fits takes a call:\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0

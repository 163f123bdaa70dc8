from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import weakref
from importlib.machinery import ModuleSpec
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from realtime_core.errors import ConfigError
from realtime_local.engines import Synthesiser, SynthesisError
from realtime_local.espeak import EspeakLibrarySynthesiser, EspeakSynthesiser
from realtime_local.espeak_worker import EspeakWorker
from realtime_local.flite import FliteSynthesiser
from realtime_local.synthesis import SYNTHESISERS, find_synthesiser
from realtime_local.vad import level_of
from realtime_local.watchdog import Watchdog
from tests.local.sounds import children_of, lives, needs_espeak_library, needs_flite, until

ENGINES = [
    pytest.param(FliteSynthesiser, marks=needs_flite),
    pytest.param(EspeakLibrarySynthesiser, marks=needs_espeak_library),
]
LONG = "This sentence goes on and on, and on and on, and on and on, until nobody listens any more."


class Own:
    name = "own"
    sample_rate_hz = 16000


def pid_of(worker: EspeakWorker) -> int:
    return worker._process._process.pid


def kill(worker: EspeakWorker) -> None:
    worker._process.kill()
    worker._process._process.wait()


def program(folder: Path, body: str) -> str:
    """Write a command that a test stands in for an engine with."""
    path = folder / "engine"
    path.write_text(f"#!{sys.executable}\nimport sys, time\nout = sys.stdout.buffer\n{body}\n")
    path.chmod(0o755)
    return str(path)


def wav(samples: bytes, rate_hz: int = 22050, extra: bytes = b"") -> bytes:
    form = (
        b"\x01\0\x01\0"
        + rate_hz.to_bytes(4, "little")
        + (rate_hz * 2).to_bytes(4, "little")
        + b"\x02\0\x10\0"
    )
    # Like a command that cannot go back in a pipe to write the length.
    return (
        b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0" + form + extra + b"data\xff\xff\xff\x7f" + samples
    )


@pytest.mark.parametrize("make", ENGINES)
@pytest.mark.parametrize(
    "text", ["Hello there.", "-o hello", "--help", '"; $(touch x) `id` \\', "Café 24"]
)
def test_text_is_spoken_whatever_it_looks_like(make: type[Synthesiser], text: str) -> None:
    engine = make()
    pcm = b"".join(engine.speak(text, None))
    assert len(pcm) % 2 == 0
    assert 0.2 < len(pcm) / 2 / engine.sample_rate_hz < 10
    assert level_of(pcm) > 500


@pytest.mark.parametrize("make", ENGINES)
@pytest.mark.parametrize("text", ["", "  ", "\x00", "...!"])
def test_nothing_to_say_is_silence(make: type[Synthesiser], text: str) -> None:
    assert list(make().speak(text, None)) == []


@pytest.mark.parametrize("make", ENGINES)
@pytest.mark.parametrize("voice", ["nosuch", "-o", "../x", "http://x/y", ""])
def test_a_voice_there_is_not_is_an_error(make: type[Synthesiser], voice: str) -> None:
    with pytest.raises(SynthesisError, match="voice"):
        list(make().speak("Hello.", voice))


@needs_espeak_library
@pytest.mark.parametrize("before", ["en-us", "EN-GB", "en-gb+f3"])
def test_a_voice_there_is_not_is_an_error_whoever_spoke_before(before: str) -> None:
    engine = EspeakLibrarySynthesiser()
    assert b"".join(engine.speak("Hello.", before))
    with pytest.raises(SynthesisError, match="no voice alloy"):
        list(engine.speak("Hello.", "alloy"))
    engine.close()


@pytest.mark.parametrize("make", ENGINES)
def test_closing_in_the_middle_leaves_no_process(make: type[Synthesiser]) -> None:
    before = set(children_of(os.getpid()))
    engine = make()
    speech = engine.speak(f"{LONG} {LONG}", None)
    assert next(speech)
    assert set(children_of(os.getpid())) - before
    speech.close()  # type: ignore[attr-defined]
    assert set(children_of(os.getpid())) - before == set()
    assert b"".join(engine.speak("Hello.", None))
    del engine, speech
    gc.collect()
    assert set(children_of(os.getpid())) - before == set()


@needs_flite
def test_a_flite_voice_of_another_rate_is_resampled() -> None:
    seconds = {
        voice: len(b"".join(FliteSynthesiser().speak("Hello there.", voice))) / 32000
        for voice in ("slt", "kal")
    }
    assert 0.6 < seconds["kal"] / seconds["slt"] < 1.6


@needs_espeak_library
def test_the_library_is_not_loaded_here_and_its_process_is_used_again() -> None:
    engine = EspeakLibrarySynthesiser()
    assert b"".join(engine.speak("Hello. And again.", "en-gb"))
    [worker] = engine._idle
    assert b"".join(engine.speak("Once more.", None))
    assert engine._idle == [worker]
    assert "espeak" not in Path("/proc/self/maps").read_text()
    assert "espeakng_loader" not in sys.modules
    engine.close()
    assert engine._idle == []
    engine.close()


@needs_espeak_library
def test_a_dead_process_is_replaced() -> None:
    engine = EspeakLibrarySynthesiser()
    expected = b"".join(engine.speak("Hello.", None))
    kill(engine._idle[0])
    assert b"".join(engine.speak("Hello.", None)) == expected
    engine.close()


@needs_espeak_library
def test_a_process_that_dies_in_the_middle_is_an_error() -> None:
    engine = EspeakLibrarySynthesiser()
    list(engine.speak("Hello.", None))
    worker = engine._idle[0]
    speech = engine.speak(LONG * 20, None)
    next(speech)
    worker._process.kill()
    with pytest.raises(SynthesisError, match="died"):
        list(speech)
    assert not worker.is_ready
    assert engine._idle == []


@needs_espeak_library
def test_a_process_that_died_unseen_is_an_error() -> None:
    engine = EspeakLibrarySynthesiser()
    list(engine.speak("Hello.", None))
    worker = engine._idle.pop()
    kill(worker)
    with pytest.raises(SynthesisError, match="died"):
        list(worker.speak("Hello.", "en-us", 160))
    worker.stop()
    worker.stop()


@needs_espeak_library
def test_several_texts_at_once_have_a_process_each_and_two_are_kept() -> None:
    engine = EspeakLibrarySynthesiser()
    expected = b"".join(engine.speak(LONG, None))
    heard: list[bytes] = []
    threads = [
        Thread(target=lambda: heard.append(b"".join(engine.speak(LONG, None)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Its intonation varies a little with what it spoke before.
    assert [len(pcm) for pcm in heard] == pytest.approx([len(expected)] * 4, rel=0.02)
    assert len(engine._idle) <= 2
    engine.close()


def test_a_library_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="expected it ready at 22050 Hz"):
        EspeakWorker(tmp_path, 22050)


def test_no_interpreter_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(SynthesisError, match="no process"):
        EspeakWorker(tmp_path, 22050)


def test_the_espeak_command_reads_text_and_writes_a_wav(tmp_path: Path) -> None:
    body = f"out.write({wav(b'', extra=b'LIST' + bytes([3, 0, 0, 0]) + b'abc0')!r} + repr(sys.argv[1:]).encode()); out.write(sys.stdin.buffer.read())"
    engine = EspeakSynthesiser(program(tmp_path, body), words_per_minute=200)
    written = b"".join(engine.speak("-q Añejo", "en-gb+f3"))
    assert (
        written.rstrip(b"\0")
        .decode()
        .startswith("['-ven-gb+f3', '-s200', '-b1', '--stdin', '--stdout']-q A")
    )


def test_samples_are_whole_and_come_early(tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    body = (
        f"import os; out.write({wav(b'abc')!r}); out.flush()\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n"
        "out.write(b'd' * 9); out.flush(); time.sleep(60)"
    )
    before = set(children_of(os.getpid()))
    speech = EspeakSynthesiser(program(tmp_path, body)).speak("Hello.", None)
    assert next(speech) == b"ab"
    go_on.touch()
    assert next(speech) == b"c" + b"d" * 9
    speech.close()  # type: ignore[attr-defined]
    assert set(children_of(os.getpid())) - before == set()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sys.stderr.write('no\\nvoice'); sys.exit(3)", "espeak-ng failed with 3: no voice"),
        ("sys.exit(4)", "failed with 4: no message"),
        ("out.write(b'hello')", "something else"),
        ("out.write(b'RIFF    WAVE')", "something else"),
        ("out.write(b'no WAV at all'); out.flush(); time.sleep(60)", "something else"),
        ("out.write(b'RIFF    WAVE' + b'junk' + bytes([2, 0, 0, 0, 1, 1]) * 99)", "something else"),
        (f"out.write({wav(b'')[:20]!r} + bytes(16) + {wav(b'')[36:]!r})", "something else"),
        (f"out.write({wav(b'abcd')!r}); out.flush(); sys.exit(5)", "failed with 5"),
    ],
)
def test_a_command_that_fails_is_an_error(tmp_path: Path, body: str, told: str) -> None:
    with pytest.raises(SynthesisError, match=told):
        list(EspeakSynthesiser(program(tmp_path, body)).speak("Hello.", None))


def test_a_command_that_is_gone_is_an_error(tmp_path: Path) -> None:
    engine = EspeakSynthesiser(program(tmp_path, ""))
    (tmp_path / "engine").unlink()
    with pytest.raises(SynthesisError, match="cannot be started"):
        list(engine.speak("Hello.", None))


@pytest.mark.parametrize(("body", "told"), [("sys.exit(1)", "does not list"), ("", "no voices")])
def test_a_flite_without_voices_is_an_error(tmp_path: Path, body: str, told: str) -> None:
    with pytest.raises(SynthesisError, match=told):
        FliteSynthesiser(program(tmp_path, body)).voices()


@pytest.mark.parametrize("speed", [79, 451])
def test_a_speed_out_of_range_is_refused(tmp_path: Path, speed: int) -> None:
    with pytest.raises(ConfigError, match="words_per_minute"):
        EspeakSynthesiser(program(tmp_path, ""), words_per_minute=speed)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none(_name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("realtime_local.espeak.find_spec", none)
    shared = SYNTHESISERS["espeak-library"]
    shared.cache_clear()  # type: ignore[attr-defined]  # as in a process where it was not needed yet


@pytest.mark.usefixtures("nothing_installed")
def test_no_engine_at_all_says_what_to_install() -> None:
    with pytest.raises(ConfigError) as caught:
        find_synthesiser()
    for way in (
        "apt install flite",
        "apt install espeak-ng",
        "pip install 'realtime-local[espeak]'",
    ):
        assert way in str(caught.value)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", list(SYNTHESISERS))
def test_an_absent_engine_says_what_to_install(name: str) -> None:
    with pytest.raises(ConfigError, match=" install "):
        find_synthesiser(name)


@pytest.mark.parametrize("there", ["flite", "espeak-ng"])
@pytest.mark.usefixtures("nothing_installed")
def test_the_first_engine_found_is_taken(tmp_path: Path, there: str) -> None:
    Path(program(tmp_path, "")).rename(tmp_path / there)
    assert find_synthesiser().name == there


@needs_espeak_library
def test_sessions_share_the_processes_of_the_library() -> None:
    assert find_synthesiser("espeak-library") is find_synthesiser("espeak-library")


def test_an_engine_of_ones_own_by_name() -> None:
    assert find_synthesiser(f"{__name__}:Own").name == "own"
    with pytest.raises(ConfigError, match="expected flite, espeak-ng, espeak-library or 'package"):
        find_synthesiser("festival")


def test_the_process_alone_needs_only_the_standard_library() -> None:
    from realtime_local import espeak_process

    done = subprocess.run(
        [sys.executable, "-I", "-S", espeak_process.__file__, "/no/library", "/no/data"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert b"OSError" in done.stderr


def test_a_terminals_interrupt_does_not_reach_a_command(tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    body = (
        f"import os; out.write({wav(b'abcd')!r}); out.flush()\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)\nout.write(b'efgh')"
    )
    speaks = f"""
import os, pathlib, signal
from realtime_local.espeak import EspeakSynthesiser
signal.signal(signal.SIGINT, lambda *_: None)
speech = EspeakSynthesiser({program(tmp_path, body)!r}).speak("Hello.", None)
heard = next(speech)
os.killpg(0, signal.SIGINT)
pathlib.Path({str(go_on)!r}).touch()
assert heard + b"".join(speech) == b"abcdefgh"
"""
    done = subprocess.run(
        [sys.executable, "-c", speaks], capture_output=True, text=True, start_new_session=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_local.watchdog.SILENCE_LIMIT_S", 0.2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("said", [b"", wav(b"")[:20], wav(b"abcd")])
def test_a_command_that_hangs_is_ended(tmp_path: Path, said: bytes) -> None:
    before = set(children_of(os.getpid()))
    body = f"out.write({said!r}); out.flush(); time.sleep(60)"
    with pytest.raises(SynthesisError, match="espeak-ng was silent"):
        list(EspeakSynthesiser(program(tmp_path, body)).speak("Hello.", None))
    assert set(children_of(os.getpid())) - before == set()


@pytest.mark.usefixtures("impatient")
def test_who_is_slow_to_listen_ends_nothing() -> None:
    class Process:
        killed = Event()

        def kill(self) -> None:
            self.killed.set()

    process: Any = Process()
    with Watchdog(process) as watchdog:
        assert watchdog.wait_for(lambda: 5) == 5
        assert not process.killed.wait(0.5)  # longer than the engine may take
        assert watchdog.wait_for(lambda: process.killed.wait(30))
    assert watchdog.has_bitten


def test_a_process_nobody_watches_any_more_is_not_held() -> None:
    class Process:
        def kill(self) -> None: ...

    process = Process()
    held = weakref.ref(process)
    watchdog = Watchdog(process)
    with watchdog:
        assert watchdog.wait_for(lambda: 5) == 5
    del process
    assert held() is None  # nor by the watchdog's thread, which may come to its end later


def test_a_command_without_an_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_local.command._LONGEST_S", 1)
    body = f"out.write({wav(b'')!r})\nwhile True: out.write(bytes(4096))"
    with pytest.raises(SynthesisError, match="does not come to an end"):
        list(EspeakSynthesiser(program(tmp_path, body)).speak("Hello.", None))


@needs_espeak_library
def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = EspeakLibrarySynthesiser()
    expected = b"".join(engine.speak("Hello.", None))
    os.kill(pid_of(engine._idle[0]), signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr("realtime_local.watchdog.SILENCE_LIMIT_S", 0.2)
        with pytest.raises(SynthesisError, match="was silent"):
            list(engine.speak("Hello.", None))
    assert engine._idle == []
    assert b"".join(engine.speak("Hello.", None)) == expected
    engine.close()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"nonsense\\n", "nonsense"),
        (b"chunk\\n", "nonsense"),
        (b"chunk -5\\n", "nonsense"),
        (b"chunk 99999999999\\n", "nonsense"),
        (b"x" * 5000, "nonsense"),
        (b"chunk 10\\nab", "died"),
        (b"error no such voice\\n", "no such voice"),
    ],
)
def test_a_process_that_talks_nonsense_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, told: str
) -> None:
    pretends = program(tmp_path, "")
    Path(pretends).write_text(
        "import sys\nout = sys.stdout.buffer\nout.write(b'ready 22050\\n'); out.flush()\n"
        f"sys.stdin.readline(); out.write(b'{said.decode()}')\n"
    )
    monkeypatch.setattr("realtime_local.espeak_process.__file__", pretends)
    worker = EspeakWorker(tmp_path, 22050)
    with pytest.raises(SynthesisError, match=told):
        list(worker.speak("Hello.", "en-us", 160))
    assert not worker.is_ready
    worker.stop()


@needs_espeak_library
def test_the_process_ends_with_its_parent() -> None:
    program = (
        "from realtime_local.espeak import EspeakLibrarySynthesiser as E\n"
        "import os, signal\n"
        "e = E(); list(e.speak('Hello.', None)); print(e._idle[0]._process._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert until(lambda: not lives(int(parent.stdout)))


@needs_espeak_library
def test_neither_a_fork_nor_a_terminals_interrupt_touches_the_process() -> None:
    program = """
import gc, os, signal, sys
from realtime_local.espeak import EspeakLibrarySynthesiser
engine = EspeakLibrarySynthesiser()
spoken = b"".join(engine.speak("Hello.", None))
[worker] = engine._idle
pid = worker._process._process.pid
child = os.fork()
if not child:
    assert b"".join(engine.speak("Hello.", None)) == spoken
    assert engine._idle[0]._process._process.pid != pid
    gc.collect()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
os.kill(pid, signal.SIGINT)
assert b"".join(engine.speak("Hello.", None))
assert engine._idle == [worker]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@needs_espeak_library
def test_a_frozen_application_has_no_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(SynthesisError, match="not a Python interpreter"):
        list(EspeakLibrarySynthesiser().speak("Hello.", None))

"""The recogniser's process and ours: who dies, hangs or forks, and what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from realtime_core import AssistantTurnEnd, ErrorEvent, Options, new_agent_from_credential
from realtime_core.errors import ConfigError, ErrorKind, RealtimeError
from realtime_core.testing.recorder import Recorder, say
from realtime_local import sphinx_worker
from realtime_local.recogniser import SphinxRecogniser
from realtime_local.sphinx_package import model_folder, package_folder
from realtime_local.sphinx_worker import SphinxWorker
from tests.local.doubles import Humming, Told
from tests.local.sounds import lives, silence, spoken, until

GRAMMAR = "#JSGF V1.0; grammar x; public <s> = what time is it | good bye;"
ANSWERS = """
import json, sys
out = sys.stdout
print('{"ready": true}', flush=True)
for line in sys.stdin.buffer:
    pcm = sys.stdin.buffer.read(json.loads(line)["size"])
    %s
"""
FOREIGN = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture(scope="module")
def utterance() -> bytes:
    return silence(300) + spoken("what time is it") + silence(450)


@pytest.fixture
def worker() -> SphinxWorker:
    return SphinxWorker()


def recogniser_of(worker: SphinxWorker) -> SphinxRecogniser:
    recogniser = SphinxRecogniser(GRAMMAR)
    recogniser._worker = worker
    return recogniser


def request() -> dict[str, Any]:
    return SphinxRecogniser(GRAMMAR)._request


def pid_of(worker: SphinxWorker) -> int:
    assert worker._process is not None
    return worker._process._process.pid


def program(folder: Path, body: str) -> str:
    """Write what stands in for the process."""
    path = folder / "process.py"
    path.write_text(body)
    return str(path)


# The process dies


def test_a_process_that_died_idle_is_not_noticed(worker: SphinxWorker, utterance: bytes) -> None:
    recogniser = recogniser_of(worker)
    heard = recogniser.recognise(utterance)
    assert heard.text == "what time is it"
    first = pid_of(worker)
    os.kill(first, signal.SIGKILL)
    assert until(lambda: worker._process is None or not worker._process.is_alive)
    assert recogniser.recognise(utterance) == heard
    assert pid_of(worker) != first


def test_an_utterance_fails_when_the_process_dies_of_it(tmp_path: Path) -> None:
    worker = SphinxWorker(
        program(tmp_path, ANSWERS % "pcm and sys.exit(3); print('{}', flush=True)")
    )
    worker.ask(request())
    first = pid_of(worker)
    with pytest.raises(
        RealtimeError, match="process died with exit code 3; the next utterance starts"
    ) as caught:
        worker.ask(request(), silence(1000))
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.VENDOR, True)
    assert worker.ask(request()) == {}
    assert pid_of(worker) != first


def test_a_process_that_hangs_is_killed_and_replaced(
    worker: SphinxWorker, utterance: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = worker.ask(request(), utterance)
    first = pid_of(worker)
    os.kill(first, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(sphinx_worker, "_LONGEST_LIMIT_S", 0.1)
        with pytest.raises(RealtimeError, match="gave no answer within"):
            worker.ask(request(), utterance * 10)  # more than a pipe holds
    assert not lives(first)
    assert worker.ask(request(), utterance) == heard


def test_who_waits_for_one_that_hangs_is_served_afterwards(tmp_path: Path) -> None:
    body = "import time; pcm == b'hang' and time.sleep(60); print('{}', flush=True)"
    worker = SphinxWorker(program(tmp_path, ANSWERS % body), limit_s=1.0)
    failed = threading.Event()

    def hang() -> None:
        with pytest.raises(RealtimeError, match="no answer"):
            worker.ask(request(), b"hang")
        failed.set()

    thread = threading.Thread(target=hang)
    thread.start()
    assert until(worker._lock.locked)
    worker._limit_s = 50.0  # its limit was 1 s, this one is not to have any
    assert worker.ask(request(), b"next") == {}
    thread.join()
    assert failed.is_set()


def test_a_grammar_may_take_longer_to_load_than_an_utterance(tmp_path: Path) -> None:
    body = "import time; time.sleep(60 if pcm else 0.3); print('{}', flush=True)"
    worker = SphinxWorker(program(tmp_path, ANSWERS % body), limit_s=0.1)
    assert worker.ask(request()) == {}
    with pytest.raises(RealtimeError, match=r"gave no answer within 0\.1"):
        worker.ask(request(), b"hm")


def test_nobody_waits_for_the_others_for_ever(
    worker: SphinxWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sphinx_worker, "_QUEUE_LIMIT_S", 0.01)
    with worker._lock, pytest.raises(RealtimeError, match="busy with others"):
        worker.ask(request())
    with worker._lock:
        worker.start()  # somebody asks it: it runs, or is being started
    assert worker.ask(request()) == {}


def test_whoever_is_interrupted_leaves_no_answer_to_the_next(
    worker: SphinxWorker, utterance: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.ask(request())
    assert worker._process is not None

    def interrupted() -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(worker._process, "read_line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        worker.ask(request(), utterance)
    assert worker.ask(request()) == {}


def test_what_pocketsphinx_fails_with_is_told(tmp_path: Path) -> None:
    body = 'print(\'{"error": "RuntimeError: no", "is_grammar": false}\', flush=True)'
    worker = SphinxWorker(program(tmp_path, ANSWERS % body))
    with pytest.raises(RealtimeError, match="the recogniser failed: RuntimeError: no"):
        worker.ask(request(), silence(100))


def test_many_threads_share_one_process(worker: SphinxWorker, utterance: bytes) -> None:
    asked = request()
    expected, heard = worker.ask(asked, utterance), list[dict[str, Any]]()
    first = pid_of(worker)
    threads = [
        threading.Thread(target=lambda: heard.append(worker.ask(asked, utterance)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [expected] * 8
    assert pid_of(worker) == first


# It cannot be started


@pytest.mark.parametrize("executable", ["", "/no/such/python", "/bin/false", "/bin/echo"])
def test_an_odd_interpreter_is_named(
    worker: SphinxWorker, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    asked = request()
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(ConfigError, match=r"from sys\.executable") as caught:
        worker.ask(asked)
    assert repr(executable) in str(caught.value)
    monkeypatch.undo()
    assert worker.ask(asked) == {}


def test_a_frozen_application_has_no_interpreter(
    worker: SphinxWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(ConfigError, match="not a Python interpreter"):
        worker.start()


def test_a_program_that_is_never_ready_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sphinx_worker, "_START_LIMIT_S", 0.05)
    worker = SphinxWorker(program(tmp_path, "import time; time.sleep(60)"))
    with pytest.raises(ConfigError, match="it gave no answer within"):
        worker.ask(request())


@pytest.mark.parametrize("line", ["[1]", '"ready"'])
def test_a_program_that_says_something_else_is_given_up(tmp_path: Path, line: str) -> None:
    worker = SphinxWorker(program(tmp_path, f"print({line!r})"))
    with pytest.raises(ConfigError, match="it is something else"):
        worker.ask(request())


def test_a_package_that_cannot_be_imported_is_named(
    worker: SphinxWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = request()
    monkeypatch.setattr(sphinx_worker, "package_folder", lambda: tmp_path / "pocketsphinx")
    with pytest.raises(ConfigError, match="No module named 'pocketsphinx'"):
        worker.ask(asked)


def test_an_absent_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_local.sphinx_package.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="pip install"):
        package_folder()


def test_models_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (model_folder() / "en-us" / "cmudict-en-us.dict").exists()
    monkeypatch.setenv("POCKETSPHINX_PATH", str(tmp_path))
    assert model_folder() == tmp_path


# We die

APPLICATION = f"""
import os, signal, sys
from realtime_local.recogniser import SphinxRecogniser
from realtime_local.sphinx_worker import GRAMMARS
recogniser = SphinxRecogniser({GRAMMAR!r})
recogniser.recognise(bytes(32000))
pid = GRAMMARS._process._process.pid
"""


def application(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", APPLICATION + body],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@FOREIGN
@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit()",
        "del recogniser, GRAMMARS",
        "os._exit(0)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(pid, signal.SIGSTOP)",
        "os.kill(pid, signal.SIGKILL)",
    ],
)
def test_the_process_ends_with_the_application(end: str) -> None:
    done = application(f"print(pid, flush=True)\n{end}")
    assert done.stderr == ""
    assert until(lambda: not lives(int(done.stdout)))


def test_a_terminals_interrupt_does_not_reach_it() -> None:
    done = application(
        "os.kill(pid, signal.SIGINT)\n"
        "assert recogniser.recognise(bytes(64000)).text == ''\n"
        "assert GRAMMARS._process._process.pid == pid\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_has_a_process_of_its_own_and_leaves_ours_alone() -> None:
    done = application("""
import gc
GRAMMARS._lock.acquire()  # as if another thread were asking
child = os.fork()
if not child:
    assert recogniser.recognise(bytes(32000)).text == ''
    assert GRAMMARS._process._process.pid != pid
    gc.collect()
    sys.exit()
GRAMMARS._lock.release()
assert os.waitpid(child, 0)[1] == 0
assert recogniser.recognise(bytes(32000)).text == ''
assert GRAMMARS._process._process.pid == pid
""")
    assert (done.returncode, done.stderr) == (0, "")


@FOREIGN
def test_the_application_itself_does_not_load_pocketsphinx() -> None:
    done = application(
        "from pathlib import Path\n"
        "assert not [name for name in sys.modules if 'pocketsphinx' in name]\n"
        "assert 'pocketsphinx' not in Path('/proc/self/maps').read_text()\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


# In a session


@pytest.fixture
def dying(tmp_path: Path) -> SphinxRecogniser:
    body = "pcm and sys.exit(4); print('{}', flush=True)"
    return recogniser_of(SphinxWorker(program(tmp_path, ANSWERS % body)))


async def test_a_session_goes_on_after_its_recogniser_died(dying: SphinxRecogniser) -> None:
    recorder, replier = Recorder(), Told()
    engines = {"synthesiser": Humming(), "recogniser": lambda _: dying, "replier": replier}
    options = Options(on_event=recorder, vendor=engines)
    async with new_agent_from_credential({"provider": "local"}, options) as agent:
        await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)))
        dying._worker = sphinx_worker.GRAMMARS
        await say(agent, lambda: len(recorder.of(AssistantTurnEnd)) > 1)
    (error,) = recorder.of(ErrorEvent)
    assert not error.fatal
    assert "process died with exit code 4; the next utterance starts another" in str(error.error)
    assert [end.status for end in recorder.of(AssistantTurnEnd)] == ["completed"] * 2

"""What is shared by the tests of the model in the box."""

from __future__ import annotations

import pytest

from realtime_core import Options, new_agent_from_credential
from realtime_local import sphinx_worker, watchdog
from realtime_local.script_reading import demo_script
from tests.local.doubles import CREDENTIAL, LocalDouble


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give real engines more time than a busy machine takes; what is about a limit sets its own."""
    for name in ("_START_LIMIT_S", "_QUEUE_LIMIT_S", "_LONGEST_LIMIT_S"):
        monkeypatch.setattr(sphinx_worker, name, 50.0)
    for shared in (sphinx_worker.GRAMMARS, sphinx_worker.FREE_SPEECH):
        monkeypatch.setattr(shared, "_limit_s", 50.0)
    monkeypatch.setattr(watchdog, "SILENCE_LIMIT_S", 50.0)
    monkeypatch.setattr("realtime_core.session.CLOSE_LIMIT_S", 50.0)


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Import the engines before any loop runs, as a server does by making one agent before it listens."""
    double = LocalDouble()
    double.enter()
    new_agent_from_credential(CREDENTIAL, Options())
    double.leave()
    demo_script()

"""What is shared by the tests of the model in the box."""

from __future__ import annotations

import pytest

from realtime_core import Options, new_agent_from_credential
from realtime_local.script_reading import demo_script
from tests.local.doubles import CREDENTIAL, LocalDouble


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Import the engines before any loop runs, as a server does by making one agent before it listens."""
    double = LocalDouble()
    double.enter()
    new_agent_from_credential(CREDENTIAL, Options())
    double.leave()
    demo_script()

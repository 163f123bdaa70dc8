"""
Real calls: real phones, a real Asterisk, our legs.

`nox -s calls` installs the parts and sets `REALTIME_CALLS=1`, without which these tests are not even selected. A machine that
cannot have the parts skips them with the reason; with `REALTIME_CALLS_REQUIRED=1` that is a failure.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.telephony.real import parts as real_parts
from tests.telephony.real.asterisk import Asterisk
from tests.telephony.real.calls import MADE, Calls, servers
from tests.telephony.real.capture import Capture
from tests.telephony.real.parts import MissingPartsError, Parts

# Read before the fixture that takes REALTIME_ variables out of the environment.
WANTED = os.environ.get("REALTIME_CALLS") == "1"
REQUIRED = os.environ.get("REALTIME_CALLS_REQUIRED") == "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is here, and deselect it unless it is wanted."""
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    for item in mine:
        item.add_marker("calls")
    if not WANTED:
        config.hook.pytest_deselected(items=mine)
        items[:] = [item for item in items if item not in mine]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many calls were made."""
    if WANTED:
        terminalreporter.write_line(f"{len(MADE)} real calls were made")


@pytest.fixture(scope="session")
def parts() -> Parts:
    """Find the real parts."""
    try:
        return real_parts.find()
    except MissingPartsError as error:
        if REQUIRED:
            pytest.fail(f"the real parts are required here: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def asterisk(parts: Parts) -> Iterator[Asterisk]:
    """Run an Asterisk for the tests of a module."""
    with Asterisk(parts) as asterisk:
        yield asterisk


@pytest.fixture
def capture() -> Iterator[Capture]:
    """Record the RTP of a test."""
    with Capture() as capture:
        yield capture


@pytest.fixture
async def calls(parts: Parts, asterisk: Asterisk, tmp_path: Path) -> AsyncIterator[Calls]:
    """Listen for the calls of a test, and see that nothing is left of them."""
    calls = Calls(parts, asterisk, tmp_path)
    async with servers(calls):
        yield calls
    await calls.nothing_is_left()

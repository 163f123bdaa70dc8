from __future__ import annotations

import pytest

from tests.core.live import make_ready


@pytest.fixture(scope="session", autouse=True)
def ready() -> None:
    """Load the providers before the first event loop runs."""
    make_ready()

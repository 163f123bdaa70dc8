"""What is shared by the calls over sockets."""

from __future__ import annotations

import pytest

from tests.quirks.call import PATIENCE_S


@pytest.fixture
def reports_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no slow machine be later than the limit with its report of what was heard."""
    monkeypatch.setattr("realtime_core.wire.barge_in.SETTLE_LIMIT_S", PATIENCE_S)

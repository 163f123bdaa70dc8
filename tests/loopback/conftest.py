"""The vendor every test of this folder talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from realtime_core.testing.loopback import LoopbackVendor


@pytest.fixture
async def vendor() -> AsyncIterator[LoopbackVendor]:
    async with LoopbackVendor() as running:
        yield running

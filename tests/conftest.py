"""What every test of the suite gets beside the root's fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import iscoroutinefunction

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from realtime_core import Options, new_agent_from_credential

PACKAGES = [
    "realtime_core",
    "realtime_openai",
    "realtime_aliyun",
    "realtime_local",
    "realtime_telephony",
]


# The same examples every time, and as long as it takes: neither luck nor a busy machine decides.
settings.register_profile(
    "realtime",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("realtime")


@pytest.fixture(scope="session", autouse=True)
def vendors_are_imported() -> None:
    """Do once what the first agent of a process does: read entry points, import vendor and backends."""
    for provider in ("openai", "aliyun_omni"):
        new_agent_from_credential({"provider": provider, "apiKey": "x"}, Options())


@pytest.fixture(autouse=True)
def no_callback_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a machine that stands still from adding to the log that a callback took long."""
    monkeypatch.setattr("realtime_core.delivery._SLOW_CALLBACK_S", 60.0)
    monkeypatch.setattr("realtime_telephony.listener.SLOW_S", 60.0)


@pytest.fixture(autouse=True)
def never_blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail an asynchronous test in which our own code blocks the event loop."""
    function = getattr(request.node, "function", None)
    if not iscoroutinefunction(function):
        yield
        return
    with blockbuster_ctx(scanned_modules=PACKAGES) as watched:
        # Coverage takes a lock of its own for every thread it meets.
        watched.functions["threading.Lock.acquire"].can_block_in(
            "coverage/collector.py", "lock_data"
        )
        yield

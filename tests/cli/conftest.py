"""Runs the command in this process, and vendors beside it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from realtime_core.cli.commands import realtime
from realtime_core.testing import LoopbackVendor

QUESTION = Path(__file__).parents[2] / "examples" / "audio" / "question.wav"
FAST = ("--pace", "40")

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `realtime` with these arguments; nothing but an exit may come out of it."""
    # The vendor is on this machine and the tests are many: nothing comes that late.
    monkeypatch.setattr("realtime_core.cli.progress.SETTLE_S", 0.05)

    def run(*args: object, **kwargs: Any) -> Result:
        result = CliRunner().invoke(realtime, [str(arg) for arg in args], **kwargs)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert "Traceback" not in result.output
        return result

    return run


@contextmanager
def running(vendor: LoopbackVendor) -> Iterator[LoopbackVendor]:
    """Run a vendor on a loop of its own, as a vendor does."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(vendor.start(), loop).result(60)
        yield vendor
        asyncio.run_coroutine_threadsafe(vendor.close(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


def events_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

"""Wheels that are installed for one test, and a registry that forgets them again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_core import registry
from tests.core.live import make_ready
from tests.core.wheels import Wheels


@pytest.fixture(scope="session", autouse=True)
def ready() -> None:
    """Load the providers before the first event loop runs."""
    make_ready()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wheels]:
    """Give a place to install fake wheels to; the scan of installed wheels is done anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    # The scan is done once a process and nothing public repeats it.
    monkeypatch.setattr(registry, "_installed", None)
    monkeypatch.setattr(registry, "_registered", {})
    before = set(sys.modules)
    yield Wheels(tmp_path)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and name.startswith("fake_"):
            del sys.modules[name]


@pytest.fixture
def registrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the test registers."""
    monkeypatch.setattr(registry, "_registered", {})

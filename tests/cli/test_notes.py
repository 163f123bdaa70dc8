"""Logged warnings, shown as notes."""

from __future__ import annotations

import logging

from realtime_core.cli.notes import warnings_shown


def test_warnings_are_shown_without_tracebacks_and_only_meanwhile() -> None:
    notes: list[str] = []
    log = logging.getLogger("realtime_voices")
    with warnings_shown(notes.append):
        log.info("connected")
        log.warning("voice %r is\nunknown", "bob")
        try:
            raise ValueError("no such\nvoice")
        except ValueError:
            log.exception("on_event raised")
    log.warning("later")
    assert notes == ["voice 'bob' is unknown", "on_event raised (ValueError: no such voice)"]

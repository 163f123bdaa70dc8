"""Vendors' protocols as values, without I/O: the contract, and the OpenAI-wire family."""

from realtime_core.wire.codec import STANDARD_CODEC, Codec
from realtime_core.wire.dialect import Dialect, ServerFrame, VadRules
from realtime_core.wire.effects import (
    AudioDelta,
    AudioEnd,
    Effect,
    FlushPlayback,
    StartRefused,
)
from realtime_core.wire.error_table import ErrorTable, Verdict
from realtime_core.wire.openai import OpenAIWire
from realtime_core.wire.protocol import UrgentFrame, WireProtocol, WireState
from realtime_core.wire.settings import SessionSettings

__all__ = [
    "STANDARD_CODEC",
    "AudioDelta",
    "AudioEnd",
    "Codec",
    "Dialect",
    "Effect",
    "ErrorTable",
    "FlushPlayback",
    "OpenAIWire",
    "ServerFrame",
    "SessionSettings",
    "StartRefused",
    "UrgentFrame",
    "VadRules",
    "Verdict",
    "WireProtocol",
    "WireState",
]

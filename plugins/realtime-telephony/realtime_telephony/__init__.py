"""Telephone calls answered by a realtime voice model."""

from realtime_telephony.attach import attach, options_for
from realtime_telephony.call_control import CallControl
from realtime_telephony.call_report import CallReport
from realtime_telephony.leg import CallInfo, CallLeg, DigitPressed, LegCapabilities

__all__ = [
    "CallControl",
    "CallInfo",
    "CallLeg",
    "CallReport",
    "DigitPressed",
    "LegCapabilities",
    "attach",
    "options_for",
]

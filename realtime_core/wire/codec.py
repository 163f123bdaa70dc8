"""How frames are read and audio is written: the standard library's way, replaceable by a faster one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen

__all__ = ["STANDARD_CODEC", "Codec"]


@frozen(kw_only=True)
class Codec:
    """Three functions of the hot path."""

    loads: Callable[[bytes], Any]
    """Parse JSON; raises `ValueError` or `RecursionError` for what is none."""
    encode_audio: Callable[[bytes | bytearray | memoryview], bytes]
    """Write base64, standard alphabet, padded."""
    decode_audio: Callable[[str], bytes]
    """Read base64 strictly; raises `ValueError` for what is none."""


STANDARD_CODEC = Codec(
    loads=json.loads,
    encode_audio=base64.b64encode,
    decode_audio=partial(base64.b64decode, validate=True),
)
"""Needs nothing but the standard library; `realtime_core.backends.codec` has the fast one."""

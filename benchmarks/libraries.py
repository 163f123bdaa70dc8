"""The measurements behind the choice of libraries: JSON and base64 on the frames of a live session."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import msgspec
import pybase64

from benchmarks.floor import ServerEvent, append_frame
from benchmarks.stopwatch import Timing, time_each
from benchmarks.vendor_frames import audio_and_transcript
from benchmarks.workload import CHUNK_MS, WIRE_HZ, tone
from realtime_core.backends.codec import FAST_CODEC

__all__ = ["codec_timings"]


class _UnreadDelta(msgspec.Struct):
    type: str
    delta: msgspec.Raw


def _parsers() -> dict[str, Callable[[bytes], object]]:
    parsers: dict[str, Callable[[bytes], object]] = {
        "json": json.loads,
        "msgspec, dict": msgspec.json.decode,
        "msgspec, Struct": msgspec.json.Decoder(ServerEvent).decode,
        "msgspec, Struct with Raw": msgspec.json.Decoder(_UnreadDelta).decode,
    }
    if find_spec("orjson") is not None:
        import orjson

        parsers["orjson"] = orjson.loads
    return parsers


def _frames() -> tuple[bytes, bytes]:
    """Give the JSON of an audio delta of 200 ms and of a transcript delta."""
    head, tail = audio_and_transcript()
    both = head + b"1" * 19 + tail
    first, second = both.split(b"}", 1)[0] + b"}", both.split(b"}", 1)[1]
    return first[first.index(b"{") :], second[second.index(b"{") :]


def _whole(
    decode_json: Callable[[bytes], object], decode: Callable[[str], bytes], frame: bytes
) -> bytes:
    event = decode_json(frame)
    return decode(event["delta"] if isinstance(event, dict) else event.delta)  # type: ignore[attr-defined]


def codec_timings() -> list[Timing]:
    """Time reading and writing of JSON and base64."""
    audio, transcript = _frames()
    delta: str = json.loads(audio)["delta"]
    chunk = tone(WIRE_HZ, CHUNK_MS)
    parsers = _parsers()
    strict = partial(pybase64.b64decode, validate=True)
    timings: list[Timing] = []
    for name, frame in (("audio", audio), ("transcript", transcript)):
        ways = {way: partial(parse, frame) for way, parse in parsers.items()}
        timings += time_each(f"parse {name} delta, {len(frame)} bytes", ways)
    timings += time_each(
        f"base64, decode {len(delta)} characters",
        {
            "base64": partial(base64.b64decode, delta),
            "base64, validate": partial(base64.b64decode, delta, validate=True),
            "binascii": partial(binascii.a2b_base64, delta),
            "pybase64": partial(pybase64.b64decode, delta),
            "pybase64, validate": partial(strict, delta),
        },
    )
    timings += time_each(
        "audio delta, JSON and base64",
        {
            "json + base64": partial(_whole, json.loads, base64.b64decode, audio),
            "msgspec Struct + pybase64": partial(_whole, parsers["msgspec, Struct"], strict, audio),
            "the SDK's codec": partial(_whole, FAST_CODEC.loads, FAST_CODEC.decode_audio, audio),
        },
    )
    timings += time_each(
        f"base64, encode {len(chunk)} bytes",
        {
            "base64": partial(base64.b64encode, chunk),
            "binascii": partial(binascii.b2a_base64, chunk, newline=False),
            "pybase64": partial(pybase64.b64encode, chunk),
        },
    )
    kind = "input_audio_buffer.append"
    encode = pybase64.b64encode_as_string
    timings += time_each(
        f"append frame of {len(chunk)} bytes",
        {
            "json.dumps + base64": lambda: json.dumps(
                {"type": kind, "audio": base64.b64encode(chunk).decode()}
            ).encode(),
            "msgspec + pybase64": lambda: msgspec.json.encode(
                {"type": kind, "audio": encode(chunk)}
            ),
            "f-string + pybase64": lambda: (
                f'{{"type":"{kind}","audio":"{encode(chunk)}"}}'.encode()
            ),
            "join + pybase64": lambda: append_frame(chunk),
        },
    )
    return timings

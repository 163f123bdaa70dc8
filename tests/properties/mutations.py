"""Vendor frames damaged with knowledge of what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from attrs import frozen

Frame = dict[str, Any]

_NUMBERS = (-1, 0, 2**31, 2**63, -(10**30), 10**400, 0.5, 1e308, float("nan"), float("inf"))
_STRANGE = ("", " ", "\x00", "ÿ" * 300, "null", "'; --", "😀")
_DAMAGED_AUDIO = ("*", "A", "AAA", "====", "AAAA\nAAAA", "ÄÄÄÄ", "AA==AA==", "-_-_")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give every container with each key in it, at every depth."""
    if isinstance(value, dict):
        keys: Sequence[Any] = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    else:
        return
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _is_id(key: Any, value: Any) -> bool:
    return isinstance(value, str) and isinstance(key, str) and (key == "id" or key.endswith("_id"))


@frozen
class Mutator:
    """
    Damages frames, the same way for the same random numbers.

    Args:
        random: Where chance comes from.
        frames: What the vendor says when it is well.
    """

    random: Random
    frames: Sequence[Frame]

    def mutated(self, frame: Frame) -> list[bytes]:
        """Give what comes instead of a frame: nothing, one, or several."""
        copy: Frame = json.loads(json.dumps(frame))
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            self._change(copy)
        raw = json.dumps(copy).encode()
        match self.random.randrange(24):
            case 0:
                return [raw[: self.random.randrange(len(raw) + 1)]]
            case 1:
                at = self.random.randrange(len(raw) + 1)
                return [raw[:at] + self.random.choice((b"\xff", b"\xc3", b"\x00")) + raw[at:]]
            case 2:
                return [raw, raw]
            case 3:
                return [self.random.choice((b"", b"null", b"[]", b'"text"', b"1", b"{}", b"{]"))]
            case 4:
                depth = self.random.choice((50, 900, 30_000))
                return [raw[:-1] + b',"delta":' + b"[" * depth + b"]" * depth + b"}"]
            case 5:
                return [json.dumps(self.random.choice(self.frames)).encode(), raw]
            case _:
                return [raw]

    def _change(self, frame: Frame) -> None:
        places = list(_places(frame))
        if not places:
            return
        holder, key = self.random.choice(places)
        match self.random.randrange(9):
            case 0:
                frame["type"] = self._other_type()
            case 1:
                del holder[key]
            case 2 | 3:
                self._cross_ids(places)
            case 4:
                self._damage_audio(frame)
            case 5:
                holder[key] = self.random.choice(_NUMBERS)
            case 6:
                holder[key] = self.random.choice(_STRANGE)
            case 7:
                other = self.random.choice(list(_places(self.random.choice(self.frames))))
                holder[key] = json.loads(json.dumps(other[0][other[1]]))
            case _:
                holder[key] = self.random.choice(
                    (None, True, [], {}, [holder[key]], {"type": holder[key]}, [None, 1, "x"])
                )

    def _other_type(self) -> Any:
        return self.random.choice(self.frames)["type"]

    def _cross_ids(self, places: Sequence[tuple[Any, Any]]) -> None:
        """Put an id of another frame, or of another kind, in the place of one."""
        ids = [(holder, key) for holder, key in places if _is_id(key, _at(holder, key))]
        if not ids:
            return
        others = [
            holder[key]
            for holder, key in _places(self.random.choice(self.frames))
            if _is_id(key, holder[key])
        ]
        holder, key = self.random.choice(ids)
        holder[key] = self.random.choice([*others, "resp_new", "item_new", "call_new"])

    def _damage_audio(self, frame: Frame) -> None:
        delta = frame.get("delta")
        if isinstance(delta, str) and delta:
            at = self.random.randrange(len(delta))
            frame["delta"] = delta[:at] + self.random.choice(_DAMAGED_AUDIO) + delta[at + 1 :]


def _at(holder: Any, key: Any) -> Any:
    """Give what stands there, if it still does."""
    try:
        return holder[key]
    except (KeyError, IndexError):
        return None

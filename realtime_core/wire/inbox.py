"""Reading frames of JSON vendors: parse, rewrite odd ones, drop duplicates, take secrets out."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import define, field

from realtime_core.wire.codec import Codec
from realtime_core.wire.dialect import ServerFrame

__all__ = ["Inbox"]

_IDS_REMEMBERED = 256
_SHORTEST_SECRET = 8  # a header's "1" is no secret, and blotting it out would ruin every text


def _worth_hiding(secrets: Iterable[str]) -> tuple[str, ...]:
    found = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    for _ in range(2):  # inside JSON, which in `Event.raw` is inside JSON itself
        found |= {written for secret in found for written in _in_json(secret)}
    return tuple(sorted(found, key=len, reverse=True))


def _in_json(text: str) -> Iterator[str]:
    """Give the ways to write a text in JSON; some servers put a backslash before a slash."""
    for ascii_only in (True, False):
        written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (written, written.replace("/", "\\/"))


@define
class Inbox:
    """
    Turns frames into events that are objects and nothing more is certain of.

    Args:
        codec: Parses.
        translate: Rewrites an odd event, or drops it by `None`.
        drops_duplicates: Whether an `event_id` seen before is dropped.
        secrets: Never let out in a text of the vendor's, should it quote them; those shorter than 8 characters are
            left in.
    """

    codec: Codec
    translate: Callable[[ServerFrame], ServerFrame | None] | None
    drops_duplicates: bool
    secrets: Sequence[str] = field(repr=False, converter=_worth_hiding)
    _seen_ids: deque[str] = field(factory=lambda: deque[str](maxlen=_IDS_REMEMBERED))

    def read(self, frame: bytes) -> ServerFrame | None:
        """
        Parse a frame.

        Returns:
            The event, or `None` when there is nothing to do about it.

        Raises:
            ValueError: The frame holds no JSON object.
        """
        try:
            event = self.codec.loads(frame)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(event, dict):
            raise ValueError("no object")
        if self.translate is not None:
            translated = self.translate(event)
            if translated is None:
                return None
            event = translated
        return None if self.drops_duplicates and self._is_duplicate(event) else event

    def raw(self, frame: bytes) -> str:
        """Give the frame as text for `Event.raw`."""
        return self.without_secrets(frame.decode(errors="replace"))

    def error_of(self, value: Any) -> Any:
        """Give a vendor's error object, each of its texts without our secrets."""
        if isinstance(value, dict):
            return {
                key: self.without_secrets(item) if isinstance(item, str) else item
                for key, item in value.items()
            }
        return self.without_secrets(value) if isinstance(value, str) else value

    def without_secrets(self, text: str) -> str:
        """Take our own key out of what a vendor says."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def _is_duplicate(self, event: ServerFrame) -> bool:
        event_id = event.get("event_id")
        if not isinstance(event_id, str) or not event_id:
            return False
        if event_id in self._seen_ids:
            return True
        self._seen_ids.append(event_id)
        return False

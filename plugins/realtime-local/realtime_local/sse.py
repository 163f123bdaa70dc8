"""Server-sent events out of bytes that arrive in pieces of any length (WHATWG HTML, "Server-sent events")."""

from __future__ import annotations

from typing import final

__all__ = ["SseParser"]

_BOM = b"\xef\xbb\xbf"


@final
class SseParser:
    """Collects the `data` of events; other fields and comments are skipped."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[str] = []
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[str]:
        """
        Take more of the stream.

        Returns:
            The data of the events that are whole now. What is no UTF-8 is replaced, never an error.
        """
        events: list[str] = []
        for piece in chunk.splitlines(keepends=True) if chunk else ():
            # bytes.splitlines knows \n, \r and \r\n, which are the three ends of the specification.
            if self._after_cr and piece == b"\n" and not self._line:
                self._after_cr = False
                continue
            self._after_cr = False
            body = piece.rstrip(b"\r\n")
            self._line += body
            if len(body) < len(piece):
                self._after_cr = piece.endswith(b"\r")
                line, self._line = bytes(self._line), bytearray()
                self._take(line, events)
        return events

    def finish(self) -> list[str]:
        """Give the last event, should the stream have ended without the blank line after it."""
        events: list[str] = []
        self._take(bytes(self._line), events)
        self._line = bytearray()
        self._take(b"", events)
        return events

    def _take(self, line: bytes, events: list[str]) -> None:
        if self._at_start:
            line, self._at_start = line.removeprefix(_BOM), False
        if not line:
            if self._data:
                events.append("\n".join(self._data))
            self._data = []
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))

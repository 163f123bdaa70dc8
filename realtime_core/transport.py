"""The seam between a session and its connection."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

__all__ = ["ConnectionClosed", "Transport"]


@frozen
class ConnectionClosed:
    """What `Transport.receive` gives, once and last, when the connection has ended."""

    code: int
    """WebSocket close code; 1006 where no close frame came."""
    reason: str = ""


class Transport(Protocol):
    """One connection, used once. All of it on one event loop; none of it retries."""

    heard: bool
    """Set to true whenever anything comes from the peer, pongs too; the session clears it."""

    async def connect(self) -> None:
        """
        Connect; cancelling leaves nothing behind.

        Raises:
            ConnectError: With the HTTP status, where the handshake was refused with one.
        """

    def send(self, frame: bytes) -> None:
        """Write a text frame at once, into the connection's own buffer; dropped after the end."""

    def backlog(self) -> int:
        """Give the bytes the connection could not pass on to the network yet; above zero too when it is gone."""
        ...

    async def drained(self) -> None:
        """Wait until the backlog is gone or the connection has ended."""

    def ping(self) -> None:
        """Ask the peer for a sign of life."""

    async def receive(self) -> bytes | ConnectionClosed:
        """Wait for the next frame; after `ConnectionClosed` it must not be called again."""
        ...

    async def close(self, code: int = 1000) -> None:
        """Say goodbye, wait for the peer's within two seconds, and free everything; idempotent."""

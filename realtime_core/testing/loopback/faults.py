"""Faults: how the vendor, or the network before it, misbehaves whatever the script."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

__all__ = ["Drop", "Faults", "Refused"]

Drop = Literal["before_101", "after_101", "before_created", "before_updated", "mid_audio"]
"""Where the TCP connection breaks, without a close frame.

`after_101` at once; `before_created` after a ping was answered, so that the client is known to
be connected; `before_updated` when the first `session.update` arrived; `mid_audio` after the
second audio delta.
"""

Refused = Literal["auth", "no_auth", "model", "no_model", "quota", "server_error"]
"""A refusal as an `error` event and a close, both right after the 101."""


@frozen(kw_only=True)
class Faults:
    """
    Faults of the connections opened while it is set; all off by default.

    "After" fields name a server event type: the fault begins when the first event of that type
    has been sent. `session.created` is the earliest.

    Attributes:
        status: HTTP status answered instead of the 101 (401, 403, 404, 429, 500, 503).
        redirect_to: URL answered with a 302 instead of the 101.
        handshake_delay_s: Seconds before the handshake is answered.
        never_handshake: The handshake is never answered.
        refuse: Upgrade, then an `error` event and a close.
        close_before_created: Close code sent after the 101 instead of `session.created`.
        drop_at: Where the TCP connection is cut.
        reject_update: Error code with which the first `session.update` is refused.
        withhold: Server event types never sent, e.g. `{"session.updated"}`.
        updated_delay_s: Seconds before the first `session.updated`.
        garbage_after: Then one text frame that is no JSON.
        binary_after: Then one binary frame.
        silent_after: Then nothing more is sent, though everything is read and pings are answered.
        deaf_after: Then nothing more is read, not even pings; the client's socket backs up.
    """

    status: int | None = None
    redirect_to: str | None = None
    handshake_delay_s: float = 0.0
    never_handshake: bool = False
    refuse: Refused | None = None
    close_before_created: int | None = None
    drop_at: Drop | None = None
    reject_update: str | None = None
    withhold: frozenset[str] = frozenset()
    updated_delay_s: float = 0.0
    garbage_after: str | None = None
    binary_after: str | None = None
    silent_after: str | None = None
    deaf_after: str | None = None

"""What a vendor's errors and close codes mean, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from realtime_core.errors import ErrorKind, SessionLostError, VendorError

__all__ = ["ErrorTable", "Verdict"]


@frozen
class Verdict:
    """A vendor's error, read by its table."""

    error: VendorError
    fatal: bool
    """The session is over."""
    benign: bool
    """A harmless race, only logged."""
    code_is_fatal: bool = False
    """Fatal by its own code or type, not because this server closes after an error event of this type."""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


@frozen(kw_only=True)
class ErrorTable:
    """
    Which errors end a session, which are harmless, and what is to be looked at.

    Codes and types are compared first; fragments of the text only for errors that come with neither, or with no more
    than a type out of `generic_types`.
    """

    kinds: Mapping[str, ErrorKind]
    """Kind by code, or by type where the code is not listed."""
    fatal: frozenset[str] = frozenset()
    """Codes and types after which the session is over."""
    benign: frozenset[str] = frozenset()
    """Codes of harmless races."""
    retryable: frozenset[ErrorKind] = frozenset(
        {
            ErrorKind.EXPIRED,
            ErrorKind.IDLE,
            ErrorKind.RATE_LIMIT,
            ErrorKind.TRANSPORT,
            ErrorKind.VENDOR,
        }
    )
    """Kinds for which the same may succeed later."""
    surviving_types: frozenset[str] | None = None
    """Where set, any other error type ends the session."""
    fragments: tuple[tuple[str, ErrorKind], ...] = ()
    """Kind by a fragment of the text, lower case; the last resort, in order."""
    generic_types: frozenset[str] = frozenset()
    """Types that stand on almost every error; where no code came, a fragment of the text wins over them."""
    benign_fragments: tuple[str, ...] = ()
    """Text of harmless races on servers that leave the code empty, lower case."""
    vague_codes: frozenset[str] = frozenset()
    """Codes that say so little that `benign_fragments` are looked at too."""
    close_kinds: Mapping[int, ErrorKind] = field(factory=dict)
    """Kind by close code."""
    telling_closes: frozenset[int] = frozenset()
    """Close codes that decide by themselves; with any other, a fragment of the reason wins over the code."""
    close_fragments: tuple[tuple[str, ErrorKind], ...] = ()
    """Kind by a fragment of the close reason, lower case."""

    def judge(self, error: Any) -> Verdict:
        """
        Read the `error` object of an error event or of a failed reply; anything goes in.

        Args:
            error: Normally a mapping with `type`, `code`, `message`, `event_id`.
        """
        fields: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
        code, kind_of_error = _text(fields.get("code")), _text(fields.get("type"))
        message = _text(fields.get("message")) or _text(fields.get("reason")) or _text(error)
        message = message or "the vendor gave no reason"
        lowered = message.lower()
        by_code, by_type = self.kinds.get(code or ""), self.kinds.get(kind_of_error or "")
        by_text = _first(self.fragments, lowered)
        if code is None and kind_of_error in self.generic_types:
            by_type = by_text or by_type
        kind = by_code or by_type or by_text or ErrorKind.VENDOR
        fatal = listed = code in self.fatal or kind_of_error in self.fatal
        if self.surviving_types is not None and kind_of_error is not None:
            fatal = fatal or kind_of_error not in self.surviving_types
        benign = code in self.benign
        if (code is None or code in self.vague_codes) and any(
            fragment in lowered for fragment in self.benign_fragments
        ):
            benign = True
        return Verdict(
            VendorError(
                message,
                kind=kind,
                retryable=kind in self.retryable,
                code=code,
                type=kind_of_error,
                event_id=_text(fields.get("event_id")),
            ),
            fatal=fatal and not benign,
            benign=benign,
            code_is_fatal=listed and not benign,
        )

    def close_kind(self, code: int, reason: str) -> ErrorKind:
        """Say what a close by the vendor means."""
        tells = code in self.telling_closes
        kind = None if tells else _first(self.close_fragments, reason.lower())
        return kind or self.close_kinds.get(code, ErrorKind.TRANSPORT)

    def lost(self, code: int, reason: str) -> SessionLostError:
        """Make the error of a session that the vendor or the network ended."""
        kind = self.close_kind(code, reason)
        said = f": {reason}" if reason else ""
        if code == 1006:
            message = f"the connection broke without a close frame (1006){said}"
        else:
            message = f"the vendor closed the session with code {code}{said}"
        not_retryable = (ErrorKind.AUTH, ErrorKind.QUOTA, ErrorKind.CONFIG, ErrorKind.MODEL)
        return SessionLostError(
            message, kind=kind, retryable=kind not in not_retryable, code=code, reason=reason
        )


def _first(table: tuple[tuple[str, ErrorKind], ...], text: str) -> ErrorKind | None:
    return next((kind for fragment, kind in table if fragment in text), None)

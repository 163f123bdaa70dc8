"""A client event the vendor refuses, and the record of what a client did wrong."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Refusal", "Violation"]


@frozen(kw_only=True)
class Violation:
    """
    Something a client did that the vendor's documents forbid.

    Attributes:
        session: Number of the connection, from 0.
        dialect: The wire it happened on.
        rule: Name of the rule, in words joined by hyphens.
        expected: What the documents ask for.
        got: What came.
        event_type: The client event, None in the handshake.
        event_id: The client's own event id, where it gave one.
    """

    session: int
    dialect: str
    rule: str
    expected: str
    got: str
    event_type: str | None = None
    event_id: str | None = None


class Refusal(Exception):
    """
    Raised while a client event is handled; becomes the vendor's `error` event.

    Args:
        code: The vendor's error code; None and "" occur.
        message: The vendor's text.
        param: The field it is about.
        rule: The rule broken.
        expected: What the documents ask for; *message* when empty.
        benign: An innocent race, answered but not held against the client.
    """

    def __init__(
        self,
        code: str | None,
        message: str,
        *,
        param: str | None = None,
        rule: str,
        expected: str = "",
        benign: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.rule = rule
        self.expected: str = expected or message
        self.benign = benign

"""
Every error of the SDK, one tree.

```
RealtimeError                     kind, retryable
├── ConfigError (ValueError)      options, credential or argument: expected, came, what to do
├── UnknownProviderError (LookupError)
├── ProviderConflictError         two distributions offer one slug
├── ProviderLoadError             a provider's entry point cannot be imported or described
├── AgentStateError               a command in the wrong state
│   └── AgentClosedError          a command after close or a fatal error
├── UnsupportedError              this provider cannot do that; nothing was sent
├── ConnectError                  `Agent.start` failed; HTTP status where there is one
├── SessionLostError              the connection ended under a running session
├── RemoteProtocolError           the vendor sent something that breaks its own protocol
└── VendorError                   the vendor refused or failed, in its own words
```

Misuse by the application, misbehaviour of the peer, a vendor's refusal and a lost connection are
different classes; `ErrorKind` says, across all of them, what an operator has to look at. Errors that
travel in an `ErrorEvent` are objects of the same classes. No message holds a key, a token or a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

__all__ = [
    "AgentClosedError",
    "AgentStateError",
    "ConfigError",
    "ConnectError",
    "ErrorKind",
    "ProviderConflictError",
    "ProviderLoadError",
    "RealtimeError",
    "RemoteProtocolError",
    "SessionLostError",
    "UnknownProviderError",
    "UnsupportedError",
    "VendorError",
]


_OUR_WHEELS = {
    "realtime-openai": ("openai", "openai_realtime", "gpt4o_realtime", "gpt-4o-realtime"),
    "realtime-aliyun": ("aliyun_omni", "qwen_omni", "dashscope_omni"),
    "realtime-local": ("local", "offline"),
}
"""Slugs by wheel, to say what to install; nothing else is made of it."""


class ErrorKind(StrEnum):
    """What has to be looked at: one closed set for every error and every vendor."""

    AUTH = "auth"
    """The key, token or workspace is missing, wrong or not entitled."""
    QUOTA = "quota"
    """The account is out of money or of free quota; retrying does not help."""
    RATE_LIMIT = "rate_limit"
    """Too many requests just now; retry later."""
    CONFIG = "config"
    """A setting of ours or of the application was refused."""
    MODEL = "model"
    """The model does not exist, or the account may not use it."""
    CONFLICT = "conflict"
    """It collides with something else, such as a reply already running or a slug offered twice."""
    EXPIRED = "expired"
    """The vendor's maximum session length is reached."""
    IDLE = "idle"
    """The vendor ended a session in which nothing happened for too long."""
    TRANSPORT = "transport"
    """The network: name, TLS, TCP or WebSocket."""
    STALLED = "stalled"
    """The peer is silent past a limit."""
    OVERFLOW = "overflow"
    """A bounded queue is full."""
    TOOL = "tool"
    """A tool or its handler."""
    PROTOCOL = "protocol"
    """A frame, an argument or a state that the protocol does not allow."""
    VENDOR = "vendor"
    """The vendor's own fault, or one it does not explain."""


class RealtimeError(Exception):
    """
    Root of every error the SDK raises or emits.

    Args:
        message: What was expected, what came, what to do.
        kind: What an operator has to look at.
        retryable: Whether the same call may succeed later without any change.
    """

    kind: ErrorKind
    retryable: bool

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = ErrorKind.PROTOCOL,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = ErrorKind(kind)
        self.retryable = retryable


class ConfigError(RealtimeError, ValueError):
    """An option, a credential or an argument is wrong. Names the path and the expectation, never the value."""

    def __init__(self, message: str, *, kind: ErrorKind = ErrorKind.CONFIG) -> None:
        super().__init__(message, kind=kind)


class UnknownProviderError(RealtimeError, LookupError):
    """
    No provider is registered or installed under a slug.

    Args:
        provider: The slug asked for, as it was given; empty when there was none.
        installed: Slugs that are available, for the message.
    """

    provider: str

    def __init__(self, provider: str, installed: Sequence[str] = ()) -> None:
        have = ", ".join(installed) if installed else "none"
        offers = {slug: wheel for wheel, slugs in _OUR_WHEELS.items() for slug in slugs}
        wheel = offers.get(provider)
        if provider:
            from difflib import get_close_matches  # only for somebody's typo

            problem = f"no provider is installed for slug {provider!r}"
            near = None if wheel else get_close_matches(provider, [*installed, *offers], n=1)
            if near:
                problem += f" (did you mean {near[0]!r}?)"
                wheel = None if near[0] in installed else offers.get(near[0])
        else:
            problem = 'the credential has no "provider" slug'
        commands = " or ".join(
            f"`pip install {each}`" for each in ([wheel] if wheel else _OUR_WHEELS)
        )
        super().__init__(
            f"{problem}; installed: {have}. Install the wheel that offers it: {commands}"
            + ("." if wheel else ", or somebody else's."),
            kind=ErrorKind.CONFIG,
        )
        self.provider = provider


class ProviderConflictError(RealtimeError):
    """
    Two installed distributions offer one slug, so neither is chosen.

    Args:
        provider: The slug.
        distributions: The distributions that offer it.
    """

    provider: str
    distributions: tuple[str, ...]

    def __init__(self, provider: str, distributions: Sequence[str]) -> None:
        names = " and ".join(distributions)
        super().__init__(
            f"slug {provider!r} is offered by {names}; uninstall one of them, "
            "or choose with realtime_core.register(provider, slug)",
            kind=ErrorKind.CONFLICT,
        )
        self.provider = provider
        self.distributions = tuple(distributions)


class ProviderLoadError(RealtimeError):
    """
    A provider is installed but cannot be imported, or its credential cannot be described; the cause is chained.

    Args:
        provider: The slug asked for.
        distribution: The wheel that offers it.
        reason: Type and text of what it raised.
    """

    provider: str
    distribution: str
    reason: str

    def __init__(self, provider: str, distribution: str, reason: str) -> None:
        super().__init__(
            f"provider {provider!r} of {distribution} cannot be loaded: {reason}",
            kind=ErrorKind.CONFIG,
        )
        self.provider = provider
        self.distribution = distribution
        self.reason = reason


class AgentStateError(RealtimeError):
    """A command came in a state that does not allow it; the message names both."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=ErrorKind.PROTOCOL)


class AgentClosedError(AgentStateError):
    """A command came after `Agent.close`, or after the session ended by a fatal error."""


class UnsupportedError(RealtimeError):
    """The provider cannot do what was asked (see `Agent.capabilities`); nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=ErrorKind.CONFIG)


class ConnectError(RealtimeError):
    """
    The session could not be started.

    Args:
        message: What happened and what to do.
        kind: Cause, such as `auth`, `model`, `config`, `transport` or `stalled`.
        retryable: Whether a later start may succeed unchanged.
        status: HTTP status of the handshake, where it was refused with one.
    """

    status: int | None

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = ErrorKind.TRANSPORT,
        retryable: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(message, kind=kind, retryable=retryable)
        self.status = status


class SessionLostError(RealtimeError):
    """
    The connection ended under a running session.

    Args:
        message: What happened.
        kind: Cause, such as `transport`, `expired`, `idle`, `quota` or `stalled`.
        retryable: Whether a new session may succeed.
        code: WebSocket close code, where one came (1006 when the connection just broke).
        reason: The vendor's close reason.
    """

    code: int | None
    reason: str

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = ErrorKind.TRANSPORT,
        retryable: bool = True,
        code: int | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message, kind=kind, retryable=retryable)
        self.code = code
        self.reason = reason


class RemoteProtocolError(RealtimeError):
    """The vendor sent something its own protocol does not allow, such as text that is no JSON."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=ErrorKind.PROTOCOL)


class VendorError(RealtimeError):
    """
    The vendor refused or failed, in its own words.

    Args:
        message: The vendor's text.
        kind: What an operator has to look at, from the vendor's error table.
        retryable: Whether the same request may succeed later.
        code: The vendor's error code, where it gives one.
        type: The vendor's error type, where it gives one.
        event_id: Id of the client event it answers, where it says so.
    """

    code: str | None
    type: str | None
    event_id: str | None

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = ErrorKind.VENDOR,
        retryable: bool = False,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the field's name on every wire we know
        event_id: str | None = None,
    ) -> None:
        super().__init__(message, kind=kind, retryable=retryable)
        self.code = code
        self.type = type
        self.event_id = event_id

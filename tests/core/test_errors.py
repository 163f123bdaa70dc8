from __future__ import annotations

from typing import get_args

import pytest

import realtime_core as rt
from realtime_core import ErrorKind, RealtimeError

KINDS = {
    "auth",
    "quota",
    "rate_limit",
    "config",
    "model",
    "conflict",
    "expired",
    "idle",
    "transport",
    "stalled",
    "overflow",
    "tool",
    "protocol",
    "vendor",
}

# DESIGN section 3: class, what it is besides a RealtimeError, kind.
TREE: list[tuple[RealtimeError, type[Exception], ErrorKind]] = [
    (rt.ConfigError("no"), ValueError, ErrorKind.CONFIG),
    (rt.UnknownProviderError("nobody"), LookupError, ErrorKind.CONFIG),
    (rt.ProviderConflictError("openai", ["a", "b"]), RealtimeError, ErrorKind.CONFLICT),
    (rt.ProviderLoadError("openai", "a-wheel", "ImportError: x"), RealtimeError, ErrorKind.CONFIG),
    (rt.AgentStateError("no"), RealtimeError, ErrorKind.PROTOCOL),
    (rt.AgentClosedError("no"), rt.AgentStateError, ErrorKind.PROTOCOL),
    (rt.UnsupportedError("no"), RealtimeError, ErrorKind.CONFIG),
    (rt.ConnectError("no"), RealtimeError, ErrorKind.TRANSPORT),
    (rt.SessionLostError("no"), RealtimeError, ErrorKind.TRANSPORT),
    (rt.RemoteProtocolError("no"), RealtimeError, ErrorKind.PROTOCOL),
    (rt.VendorError("no"), RealtimeError, ErrorKind.VENDOR),
]
of_each = pytest.mark.parametrize(
    ("error", "base", "kind"), TREE, ids=[type(error).__name__ for error, _, _ in TREE]
)


def test_the_kinds_are_the_closed_set_of_the_contract() -> None:
    assert {kind.value for kind in ErrorKind} == KINDS


def test_every_public_error_is_in_the_tree() -> None:
    public = {name for name in rt.__all__ if name.endswith("Error")} - {"RealtimeError"}
    assert public == {type(error).__name__ for error, _, _ in TREE}


@of_each
def test_an_error_has_its_place_and_its_kind(
    error: RealtimeError, base: type[Exception], kind: ErrorKind
) -> None:
    assert isinstance(error, RealtimeError)
    assert isinstance(error, base)
    assert error.kind is kind
    assert isinstance(error.retryable, bool)
    assert str(error)


@of_each
def test_state_errors_are_not_configuration_errors(
    error: RealtimeError, base: type[Exception], kind: ErrorKind
) -> None:
    assert isinstance(error, ValueError) == isinstance(error, rt.ConfigError)
    assert isinstance(error, LookupError) == isinstance(error, rt.UnknownProviderError)


def test_an_unknown_provider_is_named_with_what_is_installed_and_what_to_install() -> None:
    error = rt.UnknownProviderError("opnai", ["aliyun_omni", "openai"])
    assert error.provider == "opnai"
    text = str(error)
    assert "'opnai'" in text
    assert "aliyun_omni, openai" in text
    assert "pip install realtime-openai" in text
    assert "pip install realtime-aliyun" in text


def test_an_unknown_provider_comes_with_the_nearest_slug_where_there_is_one() -> None:
    assert "did you mean 'openai'?" in str(rt.UnknownProviderError("opnai", ["mine", "openai"]))
    assert "did you mean" not in str(rt.UnknownProviderError("zzz", ["mine", "openai"]))
    assert "did you mean" not in str(rt.UnknownProviderError("openai"))
    missed = str(rt.UnknownProviderError("ofline", ["openai"]))
    assert "did you mean 'offline'?" in missed
    assert "`pip install realtime-local`." in missed


def test_a_missing_provider_is_told_apart_from_an_unknown_one() -> None:
    error = rt.UnknownProviderError("")
    assert error.provider == ""
    assert 'no "provider"' in str(error)
    assert "installed: none" in str(error)


def test_a_conflict_names_both_wheels_and_the_way_out() -> None:
    error = rt.ProviderConflictError("openai", ["realtime-openai", "voice-rival"])
    assert error.provider == "openai"
    assert error.distributions == ("realtime-openai", "voice-rival")
    for part in ("'openai'", "realtime-openai", "voice-rival", "uninstall", "register"):
        assert part in str(error)


def test_a_connect_error_has_the_status_where_there_was_one() -> None:
    error = rt.ConnectError("no", kind=ErrorKind.AUTH, status=401)
    assert (error.kind, error.status, error.retryable) == ("auth", 401, False)
    assert rt.ConnectError("no").status is None


def test_a_lost_session_has_code_and_reason() -> None:
    error = rt.SessionLostError("gone", kind=ErrorKind.IDLE, code=1007, reason="too quiet")
    assert (error.kind, error.code, error.reason) == ("idle", 1007, "too quiet")
    assert rt.SessionLostError("gone").retryable


def test_a_vendor_error_has_the_vendors_own_words() -> None:
    error = rt.VendorError("No.", code="c", type="t", event_id="e")
    assert (str(error), error.code, error.type, error.event_id) == ("No.", "c", "t", "e")


def test_a_kind_that_is_no_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="weather"):
        RealtimeError("no", kind="weather")  # type: ignore[arg-type]


def test_who_ended_a_session_is_a_closed_set() -> None:
    from realtime_core.events import Initiator, TurnStatus

    assert get_args(Initiator) == ("client", "vendor", "network")
    assert get_args(TurnStatus) == ("completed", "cancelled", "failed", "incomplete")

from __future__ import annotations

import pytest

from realtime_core import ConfigError
from realtime_core.endpoint import headers_with, websocket_url

GOOD = [
    ("wss://host/v1", "wss://host/v1"),
    ("ws://host/v1", "ws://host/v1"),
    ("https://host/v1", "wss://host/v1"),
    ("http://host:8080/v1", "ws://host:8080/v1"),
    ("HTTPS://Host/v1", "wss://Host/v1"),
    ("  wss://host/v1\n", "wss://host/v1"),
    ("wss://[::1]:9/v1", "wss://[::1]:9/v1"),
    ("wss://host/v1?a=1&b=", "wss://host/v1?a=1&b="),
    ("wss://host/v1?a=1#fragment", "wss://host/v1?a=1"),
]


@pytest.mark.parametrize(("given", "expected"), GOOD)
def test_the_scheme_becomes_that_of_a_websocket_and_the_rest_stays(
    given: str, expected: str
) -> None:
    assert websocket_url(given) == expected


@pytest.mark.parametrize(
    ("given", "came"),
    [("ftp://host/v1", "'ftp'"), ("host/v1", "none"), ("", "none"), ("file:///etc", "'file'")],
)
def test_another_scheme_is_refused_by_name(given: str, came: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"credential\.baseUrl: expected .*wss, ws, https or http, got {came}"
    ):
        websocket_url(given)


@pytest.mark.parametrize("given", ["wss://", "wss:///v1", "https://:443/v1", "wss://h:x", "ws:h"])
def test_a_url_without_a_host_or_with_a_wrong_port_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"credential\.baseUrl: expected a URL with a host"):
        websocket_url(given)


BROKEN = ["wss://[::1/v1", "wss://user:hunter2@ho\u2100st/v1"]


@pytest.mark.parametrize("given", BROKEN)
def test_a_url_that_cannot_be_split_is_refused_without_quoting_it(given: str) -> None:
    with pytest.raises(ConfigError) as caught:
        websocket_url(given)
    error = caught.value
    assert "hunter2" not in f"{error!r} {error.__cause__!r} {error.__context__!r}"


@pytest.mark.parametrize(
    "given",
    ["ftp://user:hunter2@host?key=hunter2", "wss://?key=hunter2", "wss://user:hunter2@host:x"],
)
def test_an_error_does_not_quote_the_url(given: str) -> None:
    with pytest.raises(ConfigError) as caught:
        websocket_url(given)
    error = caught.value
    assert "hunter2" not in f"{error!r} {error.__cause__!r} {error.__context__!r}"


@pytest.mark.parametrize("given", ["wss://user:hunter2@host/v1", "wss://hunter2@host", "wss://@h"])
def test_a_user_in_the_url_is_refused_because_the_key_has_a_header_of_its_own(given: str) -> None:
    with pytest.raises(ConfigError, match="without user and password") as caught:
        websocket_url(given)
    assert "hunter2" not in str(caught.value)


def test_the_vendor_completes_the_path() -> None:
    assert websocket_url("wss://h/v1?a=1", path=lambda path: f"{path}/realtime") == (
        "wss://h/v1/realtime?a=1"
    )


def test_a_query_is_added_where_the_url_does_not_have_it() -> None:
    assert websocket_url("wss://h/?model=mine", query={"model": "ours", "x": "1"}) == (
        "wss://h/?model=mine&x=1"
    )


def test_an_empty_value_in_the_url_wins_too() -> None:
    assert websocket_url("wss://h/?model=", query={"model": "ours"}) == "wss://h/?model="


def test_odd_characters_of_a_query_are_escaped() -> None:
    assert websocket_url("wss://h/", query={"model": "a b&c=d"}) == "wss://h/?model=a+b%26c%3Dd"


def test_the_tenants_headers_win_whatever_their_case() -> None:
    own = {"Authorization": "Bearer ours", "X-Own": "1"}
    assert headers_with({"authorization": "Bearer theirs", "X-More": "2"}, own) == {
        "authorization": "Bearer theirs",
        "X-More": "2",
        "X-Own": "1",
    }
    assert headers_with({}, own) == own

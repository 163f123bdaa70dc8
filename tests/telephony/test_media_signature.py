from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from realtime_core import ConfigError
from realtime_telephony.media_signature import (
    PlivoSignature,
    SharedToken,
    TwilioSignature,
    any_of,
    plivo_signature_v3,
    twilio_signature,
)

TOKEN = "a-token-nobody-guesses"
AUTH = "12345"


def request(path: str = "/media", match_info: Any = None, **headers: str) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    given: Any = make_mocked_request(
        "GET",
        path,
        headers={"Host": "voice.example.com", **named},
        match_info=match_info or {},
    )
    return given  # type: ignore[no-any-return]


def test_twilio_signs_as_its_documentation_says() -> None:
    # The worked example of "Webhooks Security".
    params = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio_signature(AUTH, url, params) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    "signed",
    [
        "wss://voice.example.com/media",
        "https://voice.example.com/media",
        "wss://voice.example.com:443/media",
        "wss://voice.example.com/media/",
    ],
)
def test_every_spelling_twilio_may_sign_passes(signed: str) -> None:
    check = TwilioSignature(AUTH)
    assert check(request(X_Twilio_Signature=twilio_signature(AUTH, signed)))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Twilio_Signature": ""},
        {"X_Twilio_Signature": "\u00fc"},
        {"X_Twilio_Signature": twilio_signature("54321", "wss://voice.example.com/media")},
        {"X_Twilio_Signature": twilio_signature(AUTH, "wss://voice.example.com/other")},
        {"X_Twilio_Signature": twilio_signature(AUTH, "wss://other.example.com/media")},
    ],
)
def test_other_signatures_do_not_pass(headers: dict[str, str]) -> None:
    assert not TwilioSignature(AUTH)(request(**headers))


@pytest.mark.parametrize("host", ["voice:abc", "voice:99999", "[::1", ""])
def test_a_host_that_is_none_does_not_pass(host: str) -> None:
    given = make_mocked_request("GET", "/media", headers={"Host": host, "X-Twilio-Signature": "x"})
    assert not TwilioSignature(AUTH)(given)
    headers = {"Host": host, "X-Plivo-Signature-V3": "x", "X-Plivo-Signature-V3-Nonce": "1"}
    assert not PlivoSignature(AUTH)(make_mocked_request("GET", "/media", headers=headers))


def test_behind_a_proxy_the_public_url_counts_and_no_header_of_a_proxy() -> None:
    signature = twilio_signature(AUTH, "wss://public.example.com/calls/media?a=1")
    check = TwilioSignature(AUTH, public_url="wss://public.example.com/calls/")
    assert check(request("/media?a=1", X_Twilio_Signature=signature))
    forwarded = {"X_Forwarded_Host": "public.example.com", "X_Forwarded_Proto": "wss"}
    plain = twilio_signature(AUTH, "wss://public.example.com/media")
    assert not TwilioSignature(AUTH)(request(X_Twilio_Signature=plain, **forwarded))


def test_plivo_v3_is_computed_as_by_plivo_python() -> None:
    # Values of plivo-python's algorithm: sorted query, a full stop, the nonce.
    plain = plivo_signature_v3("tok", "https://a.example/x", "n1")
    assert plain == plivo_signature_v3("tok", "https://a.example/x?", "n1")
    ordered = plivo_signature_v3("tok", "https://a.example/x?b=2&a=1&a=0", "n1")
    assert ordered == plivo_signature_v3("tok", "https://a.example/x?a=0&a=1", "n1", {"b": "2"})
    assert ordered != plain
    digest = hmac.new(b"tok", b"https://a.example/x?a=0&a=1&b=2.n1", hashlib.sha256).digest()
    assert ordered == b64encode(digest).decode()


def test_guess_plivo_signs_the_upgrade_as_it_signs_its_webhooks() -> None:
    check = PlivoSignature(AUTH)
    for url in (
        "wss://voice.example.com/media",
        "https://voice.example.com/media",
        "http://voice.example.com/media/websocket",
    ):
        good = plivo_signature_v3(AUTH, url, "n1")
        assert check(request(X_Plivo_Signature_V3=good, X_Plivo_Signature_V3_Nonce="n1"))
        asked = plivo_signature_v3(AUTH, f"{url}?b=2&a=1", "n1")
        asking = {"X_Plivo_Signature_V3": asked, "X_Plivo_Signature_V3_Nonce": "n1"}
        assert check(request("/media?a=1&b=2", **asking))
        assert not check(request("/media?a=1&b=3", **asking))
        both = f"bad, {good}"
        assert check(request(X_Plivo_Signature_V3=both, X_Plivo_Signature_V3_Nonce="n1"))
        assert not check(request(X_Plivo_Signature_V3=good, X_Plivo_Signature_V3_Nonce="n2"))
        assert not check(request(X_Plivo_Signature_V3=good))
    assert not check(request(X_Plivo_Signature_V3_Nonce="n1"))


def test_a_long_query_of_a_stranger_is_taken_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_apart: list[str] = []

    def parse(query: str, *args: Any, **options: Any) -> dict[str, list[str]]:
        taken_apart.append(query)
        return parse_qs(query, *args, **options)

    monkeypatch.setattr("realtime_telephony.media_signature.parse_qs", parse)
    path = "/media?" + "a&" * 4000  # some ms each time, in which every call waits
    headers = {"X_Plivo_Signature_V3": "x,y", "X_Plivo_Signature_V3_Nonce": "1"}
    assert not PlivoSignature(AUTH)(request(path, **headers))
    assert len(taken_apart) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"path": f"/media?token={TOKEN}"},
        {"match_info": {"token": TOKEN}},
        {"X_Media_Token": TOKEN},
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": f"bearer  {TOKEN}"},
    ],
)
def test_a_shared_token_passes_wherever_it_stands(given: dict[str, Any]) -> None:
    assert SharedToken(TOKEN)(request(**given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"path": "/media?token="},
        {"path": f"/media?other={TOKEN}"},
        {"path": f"/media?token={TOKEN}x"},
        {"match_info": {"token": TOKEN[:-1]}},
        {"Authorization": f"Basic {TOKEN}"},
        {"X_Media_Token": "\u00fc" * 22},
    ],
)
def test_no_or_another_token_does_not(given: dict[str, Any]) -> None:
    assert not SharedToken(TOKEN)(request(**given))


def test_any_of_lets_one_be_enough() -> None:
    check = any_of(SharedToken(TOKEN), TwilioSignature(AUTH))
    assert check(request(X_Media_Token=TOKEN))
    good = twilio_signature(AUTH, "wss://voice.example.com/media")
    assert check(request(X_Twilio_Signature=good))
    assert not check(request())
    assert not any_of()(request())


def test_secrets_that_protect_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 16"):
        SharedToken("short")
    for kind in (TwilioSignature, PlivoSignature):
        with pytest.raises(ConfigError):
            kind("")
        assert AUTH not in repr(kind(AUTH))
    assert TOKEN not in repr(SharedToken(TOKEN))

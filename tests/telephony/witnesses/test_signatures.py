"""The vendors' own packages as judges of our signatures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_telephony.media_signature import (
    PlivoSignature,
    TwilioSignature,
    plivo_signature_v3,
    twilio_signature,
)
from tests.telephony.test_media_signature import request

twilio: Any = pytest.importorskip("twilio.request_validator")
plivo: Any = pytest.importorskip("plivo.utils")

pytestmark = pytest.mark.witnesses

WORDS = st.text("abcXYZ019_-", min_size=1, max_size=8)
PATHS = st.lists(WORDS, max_size=3).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.dictionaries(WORDS, WORDS, max_size=3).map(
    lambda pairs: "&".join(f"{key}={value}" for key, value in pairs.items())
)


@given(path=PATHS, query=QUERIES, params=st.dictionaries(WORDS, WORDS, max_size=4), token=WORDS)
def test_twilio_computes_what_we_compute(
    path: str, query: str, params: dict[str, str], token: str
) -> None:
    url = f"https://voice.example.com{path}" + (f"?{query}" if query else "")
    validator = twilio.RequestValidator(token)
    assert twilio_signature(token, url, params) == validator.compute_signature(url, params)
    assert validator.validate(url, params, twilio_signature(token, url, params))


@given(path=PATHS, token=WORDS)
def test_what_twilio_signs_passes_our_check(path: str, token: str) -> None:
    for scheme in ("wss", "https"):
        url = f"{scheme}://voice.example.com{path}"
        given_signature = twilio.RequestValidator(token).compute_signature(url, {})
        assert TwilioSignature(token)(request(path, X_Twilio_Signature=given_signature))


@given(path=PATHS, query=QUERIES, token=WORDS, nonce=WORDS)
def test_plivo_accepts_what_we_compute(path: str, query: str, token: str, nonce: str) -> None:
    url = f"https://voice.example.com{path}" + (f"?{query}" if query else "")
    signature = plivo_signature_v3(token, url, nonce)
    assert plivo.validate_v3_signature("GET", url, nonce, token, signature)
    assert not plivo.validate_v3_signature("GET", url, nonce + "x", token, signature)


@given(path=PATHS, token=WORDS, nonce=WORDS)
def test_what_plivos_stream_handler_accepts_passes_our_check(
    path: str, token: str, nonce: str
) -> None:
    # As plivo_stream/fastapi/streaming.py has it: http, and /websocket behind the path.
    url = f"http://voice.example.com{path}/websocket"
    signature = plivo_signature_v3(token, url, nonce)
    assert plivo.validate_v3_signature("GET", url, nonce, token, signature)
    headers = {"X_Plivo_Signature_V3": signature, "X_Plivo_Signature_V3_Nonce": nonce}
    assert PlivoSignature(token)(request(path, **headers))

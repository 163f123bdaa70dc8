"""The handshake: who is let in, and how each dialect says no."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web
from attrs import frozen

from .dialects import DialectFacts
from .faults import Refused
from .frames import Event

__all__ = ["Greeting", "check_http", "check_socket", "refused_socket", "subprotocol"]


@frozen
class Greeting:
    """
    A refusal after the 101: one `error` event, then a close.

    Attributes:
        error: The `error` object.
        close_code: The close code.
    """

    error: Event
    close_code: int

    @property
    def close_reason(self) -> str:
        """`<type>.<code>`, as OpenAI writes it."""
        code = self.error["code"]
        return f"{self.error['type']}.{code}" if code else str(self.error["type"])


_INVALID = "invalid_request_error"


def _greeting(code: str | None, message: str, close_code: int, kind: str = _INVALID) -> Greeting:
    error = {"type": kind, "code": code, "message": message, "param": None, "event_id": None}
    return Greeting(error, close_code)


# OpenAI answers 101 first and refuses on the socket: 3000 for keys, 4000 for the request.
_REFUSED: dict[str, Greeting] = {
    "auth": _greeting("invalid_api_key", "Incorrect API key provided.", 3000),
    "no_auth": _greeting(None, "Missing bearer or basic authentication in header", 3000),
    "model": _greeting("invalid_model", "The model does not exist or is not realtime.", 4000),
    "no_model": _greeting("missing_model", "You must provide a model parameter.", 4000),
    "beta": _greeting("beta_api_shape_disabled", "The beta API shape is disabled.", 4000),
    "quota": _greeting(
        "insufficient_quota", "You exceeded your current quota.", 4000, "insufficient_quota"
    ),
    "server_error": _greeting(None, "The server had an error.", 1011, "server_error"),
}


def refused_socket(why: Refused) -> Greeting:
    """Return the refusal `Faults.refuse` asks for."""
    return _REFUSED[why]


def _bearer(headers: Mapping[str, str]) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else None


def _protocols(headers: Mapping[str, str]) -> list[str]:
    offered = headers.get("sec-websocket-protocol", "").split(",")
    return [name.strip() for name in offered if name.strip()]


_KEY_PROTOCOL = "openai-insecure-api-key."


def subprotocol(facts: DialectFacts, headers: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the subprotocol to accept, and those no document of the vendor knows."""
    offered = _protocols(headers)
    if not facts.openai:
        return None, offered
    strange = [
        name for name in offered if name != "realtime" and not name.startswith(_KEY_PROTOCOL)
    ]
    return ("realtime" if "realtime" in offered else None), strange


def _acceptable(facts: DialectFacts, model: str, models: frozenset[str] | None) -> bool:
    if models is not None:
        return model in models
    if facts.azure or facts.name == "openai_beta":
        return bool(model)  # a deployment's or a compatible server's own name
    if facts.openai:
        return "realtime" in model or model.startswith("gpt-audio")
    prefixes = {"qwen_audio": ("qwen-audio-",), "dashscope_omni_nested": ("qwen3.8-omni-",)}
    return model.startswith(
        prefixes.get(facts.name, ("qwen3.5-omni-", "qwen3-omni-", "qwen-omni-turbo"))
    )


def check_http(
    facts: DialectFacts,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    *,
    api_key: str,
    models: frozenset[str] | None,
) -> web.Response | None:
    """Return the HTTP refusal of Azure and Model Studio; None lets the upgrade go on."""
    model = query.get("model", "")
    if facts.azure:
        given = headers.get("api-key") or _bearer(headers)
        # Azure documents: api-version on the GA path gives 401 as well.
        if given != api_key or "api-version" in query:
            return _json(401, {"error": {"code": "401", "message": "Access denied."}})
        if not _acceptable(facts, model, models):
            message = "The model is not supported for realtime."
            return _json(400, {"error": {"code": "OpperationNotSupported", "message": message}})
        if "openai-beta" in headers:
            # Guess: the documents say it must be absent, not what happens.
            return _json(400, {"error": {"code": "400", "message": "OpenAI-Beta is not allowed."}})
        return None
    if facts.openai:
        return None
    if _bearer(headers) != api_key:
        return _dashscope(401, "InvalidApiKey", "Invalid API-key provided.")
    if not _acceptable(facts, model, models):
        # Model Studio publishes no complete map of handshake statuses; 404 is a guess.
        return _dashscope(404, "ModelNotFound", f"Model '{model}' not found.")
    return None


def check_socket(
    facts: DialectFacts,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    *,
    api_key: str,
    models: frozenset[str] | None,
) -> Greeting | None:
    """Return OpenAI's refusal on the open socket; None lets the session begin."""
    if not facts.openai or facts.azure:
        return None
    if facts.ga_session and "openai-beta" in headers:
        return _REFUSED["beta"]
    given = _bearer(headers)
    for name in _protocols(headers):
        if name.startswith(_KEY_PROTOCOL):
            given = name.removeprefix(_KEY_PROTOCOL)
    if given is None:
        return _REFUSED["no_auth"]
    if given != api_key:
        return _REFUSED["auth"]
    if not query.get("model"):
        return _REFUSED["no_model"]
    if not _acceptable(facts, query["model"], models):
        return _REFUSED["model"]
    return None


def _dashscope(status: int, code: str, message: str) -> web.Response:
    return _json(status, {"code": code, "message": message, "request_id": "loopback"})


def _json(status: int, body: Event) -> web.Response:
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")

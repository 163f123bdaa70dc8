"""`realtime providers`."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from realtime_core import Agent, Capabilities, ProviderInfo, ProviderLoadError
from realtime_core.registry import register, unregister
from tests.cli.conftest import Invoke

module = importlib.import_module("realtime_core.cli.providers")


def listed(invoke: Invoke) -> dict[str, dict[str, Any]]:
    result = invoke("providers", "--json")
    assert result.exit_code == 0
    infos = json.loads(result.stdout)
    return {slug: info for info in infos for slug in info["slugs"]}


def test_json_says_what_a_control_plane_needs(invoke: Invoke) -> None:
    openai = listed(invoke)["openai"]
    assert set(openai) == {
        *("slugs", "distribution", "version", "credential_schema", "capabilities", "error"),
    }
    assert openai["distribution"] == "realtime-openai"
    assert openai["version"].startswith("0.")
    assert openai["credential_schema"]["properties"]["apiKey"]["writeOnly"] is True
    assert openai["capabilities"]["truncation"] is True
    assert openai["error"] is None


def test_the_table_names_slugs_wheel_and_capabilities(invoke: Invoke) -> None:
    result = invoke("providers")
    assert result.exit_code == 0
    for expected in (
        "aliyun_omni",
        "gpt-4o-realtime",
        "realtime-openai",
        "server vad",
        "truncation",
    ):
        assert expected in result.stdout


def test_a_provider_that_says_nothing_about_itself_is_listed(invoke: Invoke) -> None:
    def silent(cfg: Any, options: Any) -> Agent:
        raise NotImplementedError

    register(silent, "silent")
    try:
        assert "this process" in invoke("providers").stdout
        info = listed(invoke)["silent"]
    finally:
        unregister("silent")
    assert (info["distribution"], info["credential_schema"], info["capabilities"]) == (None,) * 3


def test_the_table_tells_the_rates_of_the_wire_where_they_are_fixed(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    capabilities = Capabilities(input_wire_rate_hz=16000, output_wire_rate_hz=22050)
    fixed = ProviderInfo(slugs=("fixed",), capabilities=capabilities)
    monkeypatch.setattr(module, "describe_providers", lambda: [fixed])
    shown = " ".join(invoke("providers").stdout.split())
    assert "wire 16 kHz in, 22.05 kHz out" in shown


def test_a_provider_that_does_not_load_is_listed_with_its_error(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ProviderLoadError("broken", "realtime-broken", "ImportError: no engine")
    broken = ProviderInfo(
        slugs=("broken",), distribution="realtime-broken", version="1", load_error=error
    )
    monkeypatch.setattr(module, "describe_providers", lambda: [broken])
    assert listed(invoke)["broken"]["error"] == {
        "class": "ProviderLoadError",
        "kind": "config",
        "message": "provider 'broken' of realtime-broken cannot be loaded: ImportError: no engine",
    }
    assert "ImportError: no engine" in " ".join(invoke("providers").stdout.split())


def test_without_any_provider_it_says_what_to_install(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "describe_providers", list)
    told = invoke("providers").stdout
    assert "pip install 'realtime-local[espeak]'" in told
    assert "pip install realtime-openai" in told
    assert json.loads(invoke("providers", "--json").stdout) == []

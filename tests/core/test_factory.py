from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import pytest

import realtime_core as rt
from realtime_core import Agent, ConfigError, Options, Tool, UnknownProviderError
from tests.core.wheels import Wheels

Call = tuple[Mapping[str, Any], Options]


@pytest.fixture
def calls(registrations: None) -> list[Call]:
    """Register a provider `mine` that notes what it is called with."""
    made: list[Call] = []

    def provider(credential: Mapping[str, Any], options: Options) -> Agent:
        made.append((credential, options))
        return cast("Agent", made)

    rt.register(provider, "mine")
    return made


@pytest.mark.parametrize("slug", ["mine", " MINE "])
@pytest.mark.parametrize("kind", [dict, MappingProxyType])
def test_the_provider_gets_the_whole_credential_and_the_options(
    calls: list[Call], slug: str, kind: Any
) -> None:
    credential, options = kind({"provider": slug, "apiKey": "k"}), Options()
    assert rt.new_agent_from_credential(credential, options) is cast("Agent", calls)
    assert calls == [(credential, options)]


@pytest.mark.parametrize("credential", [{}, {"provider": None}, {"apiKey": "k"}])
def test_a_credential_without_a_provider_names_what_there_is(
    calls: list[Call], credential: dict[str, Any]
) -> None:
    with pytest.raises(UnknownProviderError, match=r'no "provider" slug; installed: .*mine'):
        rt.new_agent_from_credential(credential, Options())


@pytest.mark.parametrize("slug", ["", "   ", "\t\n"])
def test_a_blank_provider_is_a_missing_one(calls: list[Call], slug: str) -> None:
    with pytest.raises(UnknownProviderError, match='no "provider" slug') as caught:
        rt.new_agent_from_credential({"provider": slug}, Options())
    assert caught.value.provider == ""


@pytest.mark.parametrize("slug", [5, True, ["mine"], {"mine": 1}, b"mine"])
def test_a_provider_that_is_no_string_is_a_configuration_error(
    calls: list[Call], slug: Any
) -> None:
    with pytest.raises(ConfigError, match=r"provider: expected a slug as a string, got \w+"):
        rt.new_agent_from_credential({"provider": slug}, Options())


def test_an_unknown_provider_names_what_is_installed_and_what_to_install(calls: list[Call]) -> None:
    with pytest.raises(UnknownProviderError) as caught:
        rt.new_agent_from_credential({"provider": "nobody", "apiKey": "hunter2"}, Options())
    text = str(caught.value)
    assert caught.value.provider == "nobody"
    assert isinstance(caught.value, LookupError)
    for part in ("'nobody'", "aliyun_omni", "mine", "openai", "pip install realtime-openai"):
        assert part in text
    assert "hunter2" not in text


@pytest.mark.parametrize("credential", [None, "openai", [("provider", "openai")], 5, b"{}"])
def test_a_credential_that_is_no_mapping_is_refused(credential: Any) -> None:
    with pytest.raises(ConfigError, match=r"credential: expected a mapping, got \w+"):
        rt.new_agent_from_credential(credential, Options())


@pytest.mark.parametrize("options", [None, {}, {"voice": "marin"}])
def test_options_of_another_type_are_refused(options: Any) -> None:
    with pytest.raises(ConfigError, match="Options"):
        rt.new_agent_from_credential({"provider": "openai", "apiKey": "k"}, options)


def test_conflicts_and_broken_wheels_reach_the_caller(wheels: Wheels) -> None:
    wheels.install("voice-one", ("voice",))
    wheels.install("voice-two", ("voice",))
    wheels.install("broken-voice", ("broken",), source="import no_such_module_anywhere")
    with pytest.raises(rt.ProviderConflictError):
        rt.new_agent_from_credential({"provider": "voice"}, Options())
    with pytest.raises(rt.ProviderLoadError):
        rt.new_agent_from_credential({"provider": "broken"}, Options())


@pytest.mark.parametrize(
    ("slug", "vendor"),
    [
        ("openai_realtime", "openai_realtime"),
        ("openai", "openai_realtime"),
        ("gpt4o_realtime", "openai_realtime"),
        ("gpt-4o-realtime", "openai_realtime"),
        ("aliyun_omni", "aliyun_omni"),
        ("qwen_omni", "aliyun_omni"),
        ("dashscope_omni", "aliyun_omni"),
    ],
)
def test_every_slug_of_ours_makes_an_agent_named_by_the_first(slug: str, vendor: str) -> None:
    options = Options()
    agent = rt.new_agent_from_credential({"provider": slug, "apiKey": "k"}, options)
    assert agent.vendor == vendor
    assert agent.options is options


@pytest.mark.parametrize(
    ("slug", "variable"), [("openai", "OPENAI_API_KEY"), ("aliyun_omni", "DASHSCOPE_API_KEY")]
)
@pytest.mark.parametrize("key", [{}, {"apiKey": ""}, {"api_key": ""}])
def test_a_missing_key_is_named_with_its_environment_variable(
    slug: str, variable: str, key: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match=rf"credential\.apiKey: expected .*{variable}"):
        rt.new_agent_from_credential({"provider": slug, **key}, Options())


@pytest.mark.parametrize(
    ("slug", "variable"), [("openai", "OPENAI_API_KEY"), ("aliyun_omni", "DASHSCOPE_API_KEY")]
)
def test_the_vendors_own_environment_variable_stands_in_for_the_key(
    slug: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "from the environment")
    agent = rt.new_agent_from_credential({"provider": slug}, Options())
    assert "from the environment" not in repr(agent)


@pytest.mark.parametrize("slug", ["openai", "aliyun_omni"])
@pytest.mark.parametrize("base_url", ["ftp://host", "host.example", "wss://"])
def test_a_base_url_of_another_kind_is_refused_when_the_agent_is_made(
    slug: str, base_url: str
) -> None:
    credential = {"provider": slug, "apiKey": "k", "baseUrl": base_url}
    with pytest.raises(ConfigError, match=r"credential\.baseUrl"):
        rt.new_agent_from_credential(credential, Options())


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf"), {("a",): 1}])
@pytest.mark.parametrize("path", ["Options.vendor", "Options.tools"])
def test_what_cannot_be_written_as_json_is_refused_when_the_agent_is_made(
    path: str, value: Any
) -> None:
    odd = {"audio": {"output": {"speed": value}}}
    if path == "Options.vendor":
        options = Options(vendor=odd)
    else:
        options = Options(tools=[Tool(name="fine"), Tool(name="odd", parameters=odd)])
    with pytest.raises(ConfigError, match=f"{path}: expected values that JSON can hold"):
        rt.new_agent_from_credential({"provider": "openai", "apiKey": "k"}, options)

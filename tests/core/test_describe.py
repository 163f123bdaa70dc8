from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, cast

import pytest

import realtime_core as rt
from realtime_core import Agent, Capabilities, Options, ProviderInfo
from tests.core.wheels import Wheels

DESCRIBED = """
from attrs import frozen
from realtime_core import Capabilities
from realtime_core.credentials import Credential, secret

@frozen(kw_only=True)
class Config(Credential):
    token: str = secret("The token.")

class Provider:
    config = Config
    capabilities = Capabilities(image_input=True)
    def __call__(self, credential, options):
        raise AssertionError

provide = Provider()
"""


def described(slug: str) -> ProviderInfo:
    (info,) = [info for info in rt.describe_providers() if slug in info.slugs]
    return info


def test_a_wheel_is_described_with_all_its_slugs(wheels: Wheels) -> None:
    wheels.install("voice", ("voice", "Alias"), version="1.2.3", source=DESCRIBED)
    info = described("voice")
    assert info.slugs == ("alias", "voice")
    assert (info.distribution, info.version) == ("voice", "1.2.3")
    assert info.capabilities == Capabilities(image_input=True)
    assert info.load_error is None
    assert info.credential_schema is not None
    assert info.credential_schema["properties"]["token"] == {
        "type": "string",
        "description": "The token.",
        "writeOnly": True,
    }


def test_our_own_providers_are_described_with_their_wheels(wheels: Wheels) -> None:
    openai, aliyun = described("openai"), described("qwen_omni")
    assert openai.slugs == ("gpt-4o-realtime", "gpt4o_realtime", "openai", "openai_realtime")
    assert aliyun.slugs == ("aliyun_omni", "dashscope_omni", "qwen_omni")
    assert (openai.distribution, aliyun.distribution) == ("realtime-openai", "realtime-aliyun")
    for info, variable in ((openai, "OPENAI_API_KEY"), (aliyun, "DASHSCOPE_API_KEY")):
        assert info.version
        assert info.load_error is None
        assert info.capabilities is not None
        assert info.capabilities.tools
        assert info.credential_schema is not None
        key = info.credential_schema["properties"]["apiKey"]
        assert key["writeOnly"] is True
        assert key["x-env"] == variable
        assert info.credential_schema["properties"]["headers"]["writeOnly"] is True


def test_a_description_can_be_written_as_json(wheels: Wheels) -> None:
    wheels.install("voice", ("voice",), version="1.2.3", source=DESCRIBED)
    wheels.install("broken", ("broken",), source="raise OSError('gone')")
    sound, broken = described("voice").as_json(), described("broken").as_json()
    assert json.loads(json.dumps(sound)) == sound
    assert (sound["slugs"], sound["distribution"], sound["version"]) == (
        ["voice"],
        "voice",
        "1.2.3",
    )
    assert sound["capabilities"]["image_input"] is True
    assert sound["credential_schema"]["properties"]["token"]["writeOnly"] is True
    assert sound["error"] is None
    assert (broken["credential_schema"], broken["capabilities"]) == (None, None)
    assert broken["error"] == {
        "class": "ProviderLoadError",
        "kind": "config",
        "message": "provider 'broken' of broken cannot be loaded: OSError: gone",
    }


def test_the_list_is_sorted(wheels: Wheels) -> None:
    wheels.install("voice", ("zebra", "ant"))
    slugs = [info.slugs for info in rt.describe_providers()]
    assert slugs == sorted(slugs)


def test_a_plain_callable_says_nothing_of_itself(wheels: Wheels) -> None:
    wheels.install("voice", ("voice",))
    info = described("voice")
    assert (info.credential_schema, info.capabilities, info.load_error) == (None, None, None)


def test_a_registration_of_this_process_has_no_wheel_and_hides_one(wheels: Wheels) -> None:
    def provider(credential: Mapping[str, Any], options: Options) -> Agent:
        return cast("Agent", options)

    wheels.install("voice", ("voice", "alias"))
    rt.register(provider, "voice", "mine")
    mine, alias = described("mine"), described("alias")
    assert mine == ProviderInfo(slugs=("mine", "voice"))
    assert (alias.slugs, alias.distribution) == (("alias",), "voice")


def test_a_broken_wheel_is_listed_with_its_error_and_the_others_are_unaffected(
    wheels: Wheels,
) -> None:
    wheels.install("broken-voice", ("broken",), version="9", source="import no_such_module_x")
    wheels.install("voice", ("voice",))
    info = described("broken")
    assert (info.distribution, info.version) == ("broken-voice", "9")
    assert isinstance(info.load_error, rt.ProviderLoadError)
    assert "no_such_module_x" in str(info.load_error)
    assert described("voice").load_error is None
    assert described("openai").load_error is None


def test_two_wheels_with_one_slug_are_both_listed_with_the_conflict(wheels: Wheels) -> None:
    wheels.install("voice-one", ("voice",))
    wheels.install("voice-two", ("voice", "two"))
    both = [info for info in rt.describe_providers() if "voice" in info.slugs]
    assert [info.distribution for info in both] == ["voice-one", "voice-two"]
    for info in both:
        assert isinstance(info.load_error, rt.ProviderConflictError)
        assert info.load_error.distributions == ("voice-one", "voice-two")
    assert described("two").load_error is None


ODD_CONFIGS = {
    "no attrs class": "class Config: pass",
    "a set": """
from attrs import frozen
from realtime_core.credentials import setting
@frozen(kw_only=True)
class Config:
    words: set[str] = setting(None)
""",
    "a name nobody knows": """
from __future__ import annotations
from attrs import frozen
@frozen(kw_only=True)
class Config:
    words: NoSuchType = None
""",
}


@pytest.mark.parametrize("source", ODD_CONFIGS.values(), ids=ODD_CONFIGS)
def test_a_provider_whose_credential_cannot_be_described_does_not_take_the_others_along(
    wheels: Wheels, source: str
) -> None:
    wheels.install(
        "voice",
        ("voice",),
        source=f"{source}\ndef provide(credential, options): ...\nprovide.config = Config\n",
    )
    assert described("openai").credential_schema is not None
    info = described("voice")
    assert (info.distribution, info.credential_schema) == ("voice", None)
    assert isinstance(info.load_error, rt.ProviderLoadError)
    assert "its credential cannot be described" in str(info.load_error)


def test_a_broken_wheel_is_one_entry_with_all_its_slugs(wheels: Wheels) -> None:
    wheels.install("broken-voice", ("broken", "alias"), source="import no_such_module_x")
    assert described("broken").slugs == ("alias", "broken")


def test_slugs_of_a_wheel_that_are_broken_each_in_its_way_are_two_entries(wheels: Wheels) -> None:
    wheels.install("broken-voice", {"one": "no_such_name", "two": "nor_this"})
    assert "no_such_name" in str(described("one").load_error)
    assert "nor_this" in str(described("two").load_error)


def test_a_provider_of_this_process_that_cannot_be_described_is_listed_with_its_error(
    wheels: Wheels,
) -> None:
    class Provider:
        config = dict

        def __call__(self, credential: Mapping[str, Any], options: Options) -> Agent:
            return cast("Agent", options)

    rt.register(Provider(), "mine")
    assert "'mine' of this process" in str(described("mine").load_error)


def test_describing_says_nothing_in_the_log(
    wheels: Wheels, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    wheels.install("voice", ("voice",), source=DESCRIBED)
    rt.describe_providers()
    assert caplog.records == []

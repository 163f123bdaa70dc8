from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, cast

import pytest

import realtime_core as rt
from realtime_core import Agent, ConfigError, Options
from realtime_core.registry import installed_providers
from tests.core.wheels import Wheels

OURS = {
    "aliyun_omni",
    "dashscope_omni",
    "gpt-4o-realtime",
    "gpt4o_realtime",
    "openai",
    "openai_realtime",
    "qwen_omni",
}


def provider(credential: Mapping[str, Any], options: Options) -> Agent:
    return cast("Agent", credential)


def other(credential: Mapping[str, Any], options: Options) -> Agent:
    return cast("Agent", options)


# Registered in this process


@pytest.mark.usefixtures("registrations")
class TestRegister:
    @pytest.mark.parametrize("asked", ["mine", "MINE", "  Mine\n"])
    @pytest.mark.parametrize("given", ["mine", " MiNe "])
    def test_slugs_are_lower_cased_and_trimmed_on_both_sides(self, given: str, asked: str) -> None:
        rt.register(provider, given)
        assert rt.lookup(asked) is provider
        assert "mine" in rt.registered_providers()

    def test_one_provider_may_have_several_slugs(self) -> None:
        rt.register(provider, "mine", "alias")
        assert rt.lookup("mine") is rt.lookup("alias") is provider

    def test_blank_slugs_are_skipped(self) -> None:
        before = rt.registered_providers()
        rt.register(provider, "", "   ", "\t")
        assert rt.registered_providers() == before
        assert rt.lookup("") is None

    def test_registering_again_overwrites(self) -> None:
        rt.register(provider, "mine")
        rt.register(other, "Mine")
        assert rt.lookup("mine") is other

    def test_unregistering_takes_it_back_and_ignores_the_unknown(self) -> None:
        rt.register(provider, "mine", "alias")
        rt.unregister(" MINE ", "never registered", "")
        assert rt.lookup("mine") is None
        assert rt.lookup("alias") is provider

    @pytest.mark.parametrize("slug", [None, 5, b"mine"])
    def test_a_slug_that_is_no_string_is_refused(self, slug: Any) -> None:
        for call in (rt.lookup, rt.unregister, lambda slug: rt.register(provider, slug)):
            with pytest.raises(ConfigError, match="expected a slug as a string"):
                call(slug)

    def test_half_a_registration_is_none(self) -> None:
        with pytest.raises(ConfigError):
            rt.register(provider, "mine", cast("str", 5))
        assert rt.lookup("mine") is None

    def test_a_provider_has_to_be_callable(self) -> None:
        with pytest.raises(ConfigError, match="expected a callable provider, got str"):
            rt.register(cast("Any", "openai"), "mine")


# Installed as wheels


def test_our_own_wheels_offer_the_slugs_of_the_contract(wheels: Wheels) -> None:
    assert set(rt.registered_providers()) >= OURS


def test_a_wheel_is_listed_without_being_imported_and_imported_when_asked_for(
    wheels: Wheels,
) -> None:
    voice, rest = wheels.install("voice", ("voice", "Alias")), wheels.install("rest", ("rest",))
    assert {"voice", "alias", "rest"} <= set(rt.registered_providers())
    assert not {voice, rest} & set(sys.modules)

    found = rt.lookup("ALIAS")

    assert found is sys.modules[voice].provide
    assert found is rt.lookup("voice")
    assert rest not in sys.modules


def test_slugs_are_listed_sorted_and_once(wheels: Wheels) -> None:
    wheels.install("voice", ("zebra", "ant"))
    rt.register(provider, "zebra", "middle")
    listed = rt.registered_providers()
    assert listed == sorted(set(listed))
    assert {"ant", "middle", "zebra"} <= set(listed)


def test_an_explicit_registration_wins_over_a_wheel_until_it_is_taken_back(wheels: Wheels) -> None:
    module = wheels.install("voice", ("voice",))
    rt.register(provider, "voice")
    assert rt.lookup("voice") is provider
    assert module not in sys.modules

    rt.unregister("voice")

    assert rt.lookup("voice") is sys.modules[module].provide


def test_two_wheels_with_one_slug_are_both_named_and_neither_is_chosen(wheels: Wheels) -> None:
    wheels.install("voice-one", ("voice", "one"))
    wheels.install("voice-two", ("VOICE", "two"))
    with pytest.raises(rt.ProviderConflictError) as caught:
        rt.lookup("voice")
    assert caught.value.distributions == ("voice-one", "voice-two")
    assert "voice" in rt.registered_providers()
    assert rt.lookup("one") is not None
    assert rt.lookup("two") is not None


def test_a_conflict_with_our_own_wheel_names_it(wheels: Wheels) -> None:
    wheels.install("a-rival", ("openai",))
    with pytest.raises(rt.ProviderConflictError, match="a-rival and realtime-openai"):
        rt.lookup("openai")
    assert rt.lookup("openai_realtime") is not None


def test_a_conflict_is_settled_by_an_explicit_registration(wheels: Wheels) -> None:
    wheels.install("voice-one", ("voice",))
    wheels.install("voice-two", ("voice",))
    rt.register(provider, "voice")
    assert rt.lookup("voice") is provider


def test_two_copies_of_one_wheel_are_no_conflict(wheels: Wheels) -> None:
    wheels.install("voice-one", ("voice",))
    wheels.install("voice_one", ("voice",), version="2.0")
    assert rt.lookup("voice") is not None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("def", "SyntaxError"),
        ("nothing = 1", "AttributeError"),
        ("provide = 5", "is not callable"),
    ],
)
def test_a_wheel_that_cannot_be_imported_is_named_with_the_reason(
    wheels: Wheels, source: str, reason: str
) -> None:
    wheels.install("broken-voice", ("broken",), source=source)
    wheels.install("voice", ("voice",))
    with pytest.raises(rt.ProviderLoadError) as caught:
        rt.lookup("broken")
    error = caught.value
    assert (error.provider, error.distribution) == ("broken", "broken-voice")
    assert reason in str(error)
    assert rt.lookup("voice") is not None


def test_a_wheel_that_exits_while_it_is_imported_does_not_end_the_program(wheels: Wheels) -> None:
    wheels.install("broken-voice", ("broken",), source="import sys\nsys.exit('no licence')")
    with pytest.raises(rt.ProviderLoadError, match="no licence"):
        rt.lookup("broken")


def test_a_wheel_whose_metadata_is_lost_does_not_take_the_others_along(wheels: Wheels) -> None:
    wheels.install("half-removed", ("half",), metadata=False)
    wheels.install("voice", ("voice",))
    (half,) = installed_providers()["half"]
    assert (half.distribution, half.version) == ("an unnamed distribution", "")
    assert rt.lookup("voice") is not None
    assert rt.lookup("openai") is not None


def test_nobody_offers_an_unknown_slug(wheels: Wheels) -> None:
    assert rt.lookup("nobody") is None

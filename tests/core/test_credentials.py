from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest
from attrs import frozen

from realtime_core import ConfigError
from realtime_core.credentials import (
    Credential,
    credential_schema,
    load_credential,
    secret,
    setting,
)

KEY = "sk-hunter2-do-not-show"


@frozen(kw_only=True)
class Config(Credential):
    """One field of every kind a vendor may want."""

    api_key: str = secret("The key.", env="FAKE_VENDOR_KEY")
    sample_rate_hz: int = setting(24000, "In Hz.")
    speed: float = setting(1.0)
    fast: bool = setting(False)
    region: Literal["east", "west", 3] = setting("east", env="FAKE_VENDOR_REGION")
    nickname: str | None = setting(None)
    count_or_word: int | str | None = setting(None)
    headers: Mapping[str, str] = secret(default={})
    extra: Mapping[str, Any] = setting({})
    words: Sequence[str] = setting(())
    numbers: list[int] | None = setting(None)  # noqa: RUF009 - it is attrs' field
    anything: tuple[Any, ...] = setting(())


@frozen(kw_only=True)
class Required:
    """A class of a vendor that does without `Credential`."""

    account: str
    token: str = secret()


def load(**values: Any) -> Config:
    return load_credential(Config, {"provider": "fake", **values})


def whole_chain(error: BaseException) -> str:
    """Give everything a log, a debugger or an error tracker shows of an error but local variables."""
    texts: list[str] = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        texts += [repr(one), str(one), repr(one.args), repr(vars(one))]
        texts += getattr(one, "__notes__", [])
        pending += [one.__cause__, one.__context__]
    return "\n".join(texts)


# Names of keys


@pytest.mark.parametrize(
    ("camel", "snake", "value"),
    [
        ("apiKey", "api_key", "k"),
        ("sampleRateHz", "sample_rate_hz", 8000),
        ("dialTimeoutMs", "dial_timeout_ms", 1500),
        ("countOrWord", "count_or_word", 3),
        ("voice", "voice", "marin"),
        ("instructions", "instructions", "Be brief."),
    ],
)
def test_keys_work_in_camel_case_and_in_snake_case(camel: str, snake: str, value: Any) -> None:
    assert load(**{camel: value}) == load(**{snake: value})
    assert getattr(load(**{camel: value}), snake) == value


def test_the_same_value_in_both_spellings_is_no_mistake() -> None:
    assert load(apiKey="k", api_key="k").api_key == "k"


def test_two_values_in_two_spellings_are_refused_without_showing_them() -> None:
    with pytest.raises(ConfigError, match=r"credential\.apiKey: given twice") as caught:
        load(apiKey=KEY, api_key=f"{KEY}-other")
    assert KEY not in whole_chain(caught.value)


def test_the_key_of_the_front_door_is_no_unknown_key(caplog: pytest.LogCaptureFixture) -> None:
    load(apiKey="k")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("apikey", "did you mean 'apiKey'?"),
        ("api-key", "did you mean 'apiKey'?"),
        ("sampleRate", "did you mean 'sampleRateHz'?"),
        ("zzzzzzzz", ""),
    ],
)
def test_an_unknown_key_is_warned_about_once_with_the_nearest_name(
    key: str, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    @frozen(kw_only=True)
    class Fresh(Config):
        """The warning is once a class and key."""

    for _ in range(3):
        load_credential(Fresh, {"provider": "fake", key: KEY})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name == "realtime_core.credentials"
    assert repr(key) in record.getMessage()
    assert hint in record.getMessage()
    assert ("did you mean" in record.getMessage()) == bool(hint)
    assert KEY not in record.getMessage()


def test_a_key_that_is_no_string_is_refused() -> None:
    with pytest.raises(ConfigError, match="string keys"):
        load_credential(Config, {5: "x"})  # type: ignore[dict-item]


@pytest.mark.parametrize(("value", "came"), [(None, "null"), (KEY, "a string"), ([KEY], "a list")])
def test_a_credential_that_is_no_object_is_refused(value: Any, came: str) -> None:
    with pytest.raises(ConfigError, match=f"credential: expected an object, got {came}"):
        load_credential(Config, value)


# Types


RIGHT: list[tuple[str, Any]] = [
    ("apiKey", ""),
    ("sampleRateHz", 8000),
    ("sampleRateHz", -1),
    ("speed", 1.5),
    ("speed", 2),
    ("fast", True),
    ("region", "west"),
    ("region", 3),
    ("nickname", None),
    ("nickname", "nick"),
    ("countOrWord", None),
    ("countOrWord", 3),
    ("countOrWord", "three"),
    ("headers", {"X-A": "b"}),
    ("extra", {"any": [1, {"deep": None}]}),
    ("words", ()),
    ("words", ("one", "two")),
    ("numbers", [1, 2]),
    ("numbers", None),
    ("anything", (1, [None])),
]


@pytest.mark.parametrize(("key", "value"), RIGHT)
def test_a_value_of_the_right_type_is_taken_as_it_is(key: str, value: Any) -> None:
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in key)
    assert getattr(load(**{key: value}), name) == value


WRONG: list[tuple[str, Any, str]] = [
    ("apiKey", 5, "a string, got a number"),
    ("apiKey", True, "a string, got a boolean"),
    ("apiKey", None, "a string, got null"),
    ("apiKey", [KEY], "a string, got a list"),
    ("apiKey", {"key": KEY}, "a string, got an object"),
    ("sampleRateHz", "8000", "a whole number, got a string"),
    ("sampleRateHz", 8000.0, "a whole number, got a number"),
    ("sampleRateHz", True, "a whole number, got a boolean"),
    ("speed", "1.5", "a number, got a string"),
    ("speed", False, "a number, got a boolean"),
    ("fast", "false", "true or false, got a string"),
    ("fast", 0, "true or false, got a number"),
    ("fast", None, "true or false, got null"),
    ("region", "north", "one of 'east', 'west', 3"),
    ("region", 3.0, "one of 'east', 'west', 3"),
    ("region", True, "one of 'east', 'west', 3"),
    ("region", [], "one of 'east', 'west', 3"),
    ("nickname", 5, "a string or null, got a number"),
    ("nickname", False, "a string or null, got a boolean"),
    ("countOrWord", 1.5, "a whole number or a string or null, got a number"),
    ("headers", [["X-A", "b"]], "an object, got a list"),
    ("headers", {"X-A": 5}, "a string, got a number under one of its keys"),
    ("headers", {5: "b"}, "an object with string keys"),
    ("headers", None, "an object, got null"),
    ("extra", KEY, "an object, got a string"),
    ("words", KEY, "a list, got a string"),
    ("words", {"one": 1}, "a list, got an object"),
    ("words", None, "a list, got null"),
    ("words", ["one", 2], "each item to be a string, got a number"),
    ("numbers", [True], "each item to be a whole number or null, got a list"),
    ("anything", 5, "a list, got a number"),
    ("voice", 5, "a string or null, got a number"),
    ("instructions", ["be brief"], "a string, got a list"),
    ("dialTimeoutMs", "1000", "a whole number or null, got a string"),
    ("dialTimeoutMs", 0, "a number of ms above 0"),
    ("dialTimeoutMs", -5, "a number of ms above 0"),
]


@pytest.mark.parametrize(("key", "value", "expectation"), WRONG)
def test_nothing_is_guessed_from_a_value_of_another_type(
    key: str, value: Any, expectation: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{key: value})
    assert str(caught.value) == f"credential.{key}: expected {expectation}"


def test_a_list_is_copied_into_what_the_field_says() -> None:
    words, numbers = ["one"], [1]
    config = load(words=words, numbers=numbers)
    assert (config.words, config.numbers) == (("one",), [1])
    assert config.numbers is not numbers


def test_what_does_not_go_into_a_header_keeps_its_lines_and_blanks() -> None:
    @frozen(kw_only=True)
    class Signed:
        key: str = secret(header=False)
        prompt: str = setting("")

    lines = "-----BEGIN-----\nabc\n-----END-----\n"
    loaded = load_credential(Signed, {"key": lines, "prompt": lines})
    assert (loaded.key, loaded.prompt) == (lines, lines)


def test_a_missing_field_without_a_default_is_named() -> None:
    with pytest.raises(ConfigError, match=r"credential\.account"):
        load_credential(Required, {"token": KEY})


# Secrets


@pytest.mark.parametrize(
    "values",
    [
        {"apiKey": [KEY]},
        {"apiKey": {"key": KEY}},
        {"headers": {"X-Key": [KEY]}},
        {"headers": KEY},
        {"region": KEY},
        {"sampleRateHz": KEY},
        {"fast": KEY, "apiKey": KEY},
        {"nickname": [KEY]},
        {"words": KEY},
        {"numbers": [KEY]},
        {"apiKey": f"{KEY}\0{KEY}"},
        {"headers": {f"X\n{KEY}": f"\n{KEY}"}},
        {"countOrWord": [KEY]},
        {"dialTimeoutMs": 0, "apiKey": KEY},
    ],
    ids=lambda values: "+".join(values),
)
def test_an_error_and_its_chain_hold_no_value(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**values)
    assert KEY not in whole_chain(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_secret_is_not_in_the_repr_and_the_rest_is() -> None:
    config = load(apiKey=KEY, headers={"X-Key": KEY}, nickname="nick")
    assert KEY not in repr(config)
    assert KEY not in str(config)
    assert "nick" in repr(config)
    assert config.api_key == KEY


def test_loading_logs_no_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    load(apiKey=KEY, apiKye=KEY, headers={"X-Key": KEY})
    assert KEY not in caplog.text


# The environment


@pytest.mark.parametrize("values", [{}, {"apiKey": ""}, {"apiKey": None}])
def test_the_environment_stands_in_for_what_is_not_given(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VENDOR_KEY", "from the environment")
    assert load(**values).api_key == "from the environment"


def test_the_credential_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VENDOR_KEY", "from the environment")
    assert load(apiKey="given").api_key == "given"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VENDOR_KEY", "")
    assert load().api_key == ""


def test_a_value_of_the_environment_is_checked_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_VENDOR_REGION", "north")
    with pytest.raises(ConfigError, match=r"credential\.region: expected one of"):
        load()


# What a control plane draws its form from


def test_the_schema_describes_every_field() -> None:
    schema = credential_schema(Config)
    assert schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "provider": {"type": "string"},
            "voice": {
                "type": ["string", "null"],
                "description": "Voice by the vendor's name; Options.voice wins.",
            },
            "instructions": {
                "type": "string",
                "description": "The tenant's instructions, put before the application's.",
            },
            "dialTimeoutMs": {
                "type": ["integer", "null"],
                "description": "Bound of the connect, in ms; the start as a whole has its own.",
            },
            "apiKey": {
                "type": "string",
                "description": "The key.",
                "writeOnly": True,
                "x-env": "FAKE_VENDOR_KEY",
            },
            "sampleRateHz": {"type": "integer", "description": "In Hz.", "default": 24000},
            "speed": {"type": "number", "default": 1.0},
            "fast": {"type": "boolean", "default": False},
            "region": {
                "enum": ["east", "west", 3],
                "x-env": "FAKE_VENDOR_REGION",
                "default": "east",
            },
            "nickname": {"type": ["string", "null"]},
            "countOrWord": {"type": ["integer", "string", "null"]},
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "writeOnly": True,
            },
            "extra": {"type": "object", "additionalProperties": True},
            "words": {"type": "array", "items": {"type": "string"}},
            "numbers": {
                "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]
            },
            "anything": {"type": "array", "items": True},
        },
        "required": ["provider"],
    }


def test_a_field_without_a_default_is_required() -> None:
    assert credential_schema(Required)["required"] == ["provider", "account"]


def test_a_field_of_a_literal_or_null_is_either() -> None:
    @frozen(kw_only=True)
    class WithChoice:
        choice: Literal["a", "b"] | None = setting(None)

    assert credential_schema(WithChoice)["properties"]["choice"] == {
        "anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]
    }


def test_the_schema_shows_no_default_of_a_secret() -> None:
    @frozen(kw_only=True)
    class WithDefault:
        token: str = secret(default=KEY)

    assert KEY not in repr(credential_schema(WithDefault))


def test_a_field_of_a_type_nobody_can_describe_is_named() -> None:
    @frozen(kw_only=True)
    class Odd:
        when: complex = setting(0j)

    with pytest.raises(TypeError, match="complex"):
        credential_schema(Odd)

"""Numbers, dates and times are filled in as words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from realtime_local.numbers import number_words, spoken_time
from realtime_local.script_answers import builtin_value, tool_result


@pytest.mark.parametrize(
    ("hour", "minute", "spoken"),
    [
        (0, 0, "twelve o'clock in the morning"),
        (9, 5, "nine oh five in the morning"),
        (12, 30, "twelve thirty in the afternoon"),
        (17, 59, "five fifty nine in the afternoon"),
        (23, 10, "eleven ten in the evening"),
    ],
)
def test_the_time_of_day(hour: int, minute: int, spoken: str) -> None:
    assert spoken_time(datetime(2026, 1, 1, hour, minute, tzinfo=UTC)) == spoken


@pytest.mark.parametrize(
    ("day", "spoken"),
    [
        (1, "first"),
        (4, "fourth"),
        (9, "ninth"),
        (12, "twelfth"),
        (20, "twentieth"),
        (23, "twenty third"),
        (30, "thirtieth"),
        (31, "thirty first"),
    ],
)
def test_the_date(day: int, spoken: str) -> None:
    moment = datetime(2026, 10, day, tzinfo=UTC)
    assert builtin_value("date", moment) == f"{moment:%A}, October {spoken}"


def test_there_is_nothing_else_built_in() -> None:
    with pytest.raises(LookupError):
        builtin_value("weather", datetime(2026, 1, 1, tzinfo=UTC))


def test_numbers_are_named() -> None:
    names = [number_words(number) for number in range(100)]
    assert len(set(names)) == 100
    assert (names[0], names[13], names[40], names[99]) == (
        "zero",
        "thirteen",
        "forty",
        "ninety nine",
    )


@pytest.mark.parametrize("name", ["people", "result.a.b", "result.b", "result.none"])
def test_a_field_that_is_not_there_cannot_be_said(name: str) -> None:
    with pytest.raises(LookupError):
        tool_result('{"a": "x", "none": null}').value_of(name)


def test_numbers_of_a_result_are_said_as_they_are() -> None:
    assert tool_result('{"a": 2.5}').value_of("result.a") == "2.5"
    assert tool_result("[1, 2]").value_of("result") == "[1, 2]"

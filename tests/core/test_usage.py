from __future__ import annotations

import attrs
import pytest

from realtime_core import Usage

NAMES = [item.name for item in attrs.fields(Usage)]


def test_what_nobody_reports_stays_unknown() -> None:
    assert Usage() + Usage() == Usage()
    assert {getattr(Usage() + Usage(), name) for name in NAMES} == {None}


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_is_summed_on_its_own(name: str) -> None:
    three, four = Usage(**{name: 3}), Usage(**{name: 4})
    assert three + four == Usage(**{name: 7})
    assert three + Usage() == three
    assert Usage() + three == three


def test_zero_is_a_report() -> None:
    assert Usage(input_tokens=0) + Usage() == Usage(input_tokens=0)


def test_a_sum_over_many_replies() -> None:
    replies = [Usage(input_tokens=10, output_tokens=5, input_cached_tokens=2)] * 20
    assert sum(replies, Usage()) == Usage(
        input_tokens=200, output_tokens=100, input_cached_tokens=40
    )

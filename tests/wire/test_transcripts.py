"""What the caller said, as two kinds of recognisers tell it."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from .kit import (
    DASHSCOPE,
    OPENAI,
    Talk,
    audio,
    created,
    done,
    every_dialect,
    on,
    transcript,
)


def partial(dialect: str, so_far: str, fragment: str, item: str = "U1") -> dict[str, Any]:
    if dialect in DASHSCOPE:
        return transcript("delta", item, text=so_far, stash=fragment)
    return transcript("delta", item, delta=fragment)


@every_dialect
def test_every_partial_is_the_whole_hypothesis(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.say(partial(dialect, "", "Good "), partial(dialect, "Good ", "morning"))
    talk.say(transcript("completed", transcript="Good morning!"))
    assert talk.told() == [
        ("heard", "Good ", False, "U1"),
        ("heard", "Good morning", False, "U1"),
        ("heard", "Good morning!", True, "U1"),
    ]


@on(*DASHSCOPE)
def test_dashscope_may_take_its_draft_back(dialect: str) -> None:
    talk = Talk(dialect).open()
    for settled, draft in (("", "good mourning"), ("Good ", "morn"), ("Good morning", "")):
        talk.say(transcript("delta", text=settled, stash=draft))
    assert [each[1] for each in talk.told()] == ["good mourning", "Good morn", "Good morning"]


@on(*DASHSCOPE)
def test_the_name_of_the_recognition_sibling_is_taken(dialect: str) -> None:
    talk = Talk(dialect).open().say(transcript("text", text="Good ", stash="day"))
    assert talk.told() == [("heard", "Good day", False, "U1")]


@on(*OPENAI)
def test_settled_and_draft_are_understood_from_compatible_servers(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.say(
        transcript("delta", text="Good ", stash="d"), transcript("delta", text="Good d", stash="ay")
    )
    assert [each[1] for each in talk.told()] == ["Good d", "Good day"]


@every_dialect
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_the_final_one_comes_before_during_or_after_the_reply(dialect: str, place: int) -> None:
    script = [created(), audio(), done()]
    script.insert(place, transcript("completed", transcript="Hello."))
    told = Talk(dialect).open().say(*script).told()
    assert told.count(("heard", "Hello.", True, "U1")) == 1
    rest = [each for each in told if each[0] != "heard"]
    assert [each[0] for each in rest] == ["audio", "audio end", "end"]


@every_dialect
def test_utterances_may_finish_in_any_order(dialect: str) -> None:
    for order in permutations(("U1", "U2", "U3")):
        talk = Talk(dialect).open()
        for item in ("U1", "U2", "U3"):
            talk.say(partial(dialect, "", f"{item} part", item))
        talk.effects()
        for item in order:
            talk.say(transcript("completed", item, transcript=f"{item} whole"))
        assert talk.told() == [("heard", f"{item} whole", True, item) for item in order]


@every_dialect
def test_fragments_of_utterances_in_turn_stay_apart(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.say(partial(dialect, "", "a", "U1"), partial(dialect, "", "x", "U2"))
    talk.say(partial(dialect, "a", "b", "U1"), partial(dialect, "x", "y", "U2"))
    assert [each[1] for each in talk.told()] == ["a", "x", "ab", "xy"]


@every_dialect
def test_an_empty_final_transcript_only_closes_a_partial(dialect: str) -> None:
    talk = Talk(dialect).open().say(transcript("completed", transcript=""))
    assert talk.told() == []
    talk.say(partial(dialect, "", "Um"), transcript("completed", transcript=""))
    assert talk.told() == [("heard", "Um", False, "U1"), ("heard", "", True, "U1")]


@every_dialect
def test_a_failed_transcription_closes_the_partial_and_is_reported(dialect: str) -> None:
    failed = transcript("failed", error={"type": "transcription_error", "message": "inaudible"})
    talk = Talk(dialect).open().say(partial(dialect, "", "Go"), failed)
    assert talk.told() == [
        ("heard", "Go", False, "U1"),
        ("heard", "Go", True, "U1"),
        ("error", "vendor", False),
    ]
    talk.say(failed)
    (found,) = talk.errors()
    assert "inaudible" in str(found)


@pytest.mark.parametrize("given", [None, "no", 7, {}, {"message": None}, {"code": []}])
@every_dialect
def test_a_failed_transcription_without_a_reason_is_reported(dialect: str, given: Any) -> None:
    talk = Talk(dialect).open().say(transcript("failed", error=given), transcript("failed"))
    assert talk.told() == [("error", "vendor", False)] * 2


@every_dialect
@pytest.mark.parametrize("value", [None, 7, [], {}, ""])
def test_partials_without_text_say_nothing(dialect: str, value: Any) -> None:
    talk = Talk(dialect).open()
    talk.say(transcript("delta", delta=value, text=value, stash=value), transcript("delta"))
    assert talk.told() == []


@every_dialect
def test_an_utterance_without_an_item_is_one_of_its_own(dialect: str) -> None:
    talk = Talk(dialect).open().say(transcript("completed", None, transcript="Who?"))
    assert talk.told() == [("heard", "Who?", True, None)]


@every_dialect
def test_hypotheses_nobody_closes_do_not_pile_up(dialect: str) -> None:
    talk = Talk(dialect).open()
    for number in range(1000):
        talk.say(partial(dialect, "", "x", f"U{number}"))
    assert len(talk.told()) == 1000
    # The newest 64 go on where they were; of the others nothing is kept, so there is nothing to close.
    talk.say(*(transcript("completed", f"U{number}", transcript="") for number in range(936)))
    assert talk.told() == []
    talk.say(transcript("completed", "U936", transcript=""))
    assert talk.told() == [("heard", "", True, "U936")]
    assert talk.say(partial(dialect, "x", "y", "U937")).told() == [("heard", "xy", False, "U937")]


@every_dialect
def test_a_hypothesis_that_grows_takes_no_room_of_another(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.say(*(partial(dialect, "", "x", f"U{number}") for number in range(64)))
    talk.say(partial(dialect, "x", "y", "U63"))
    talk.effects()
    talk.say(transcript("completed", "U0", transcript=""))
    assert talk.told() == [("heard", "", True, "U0")]

"""What the properties found, each as one short conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_core import AssistantTurnEnd, Options, Tool
from realtime_core.wire import Effect, WireState
from tests.properties.cases import CASES, Case, WatchedWire

CORRELATING = [case for case in CASES if case.dialect.correlates]
OTHERS = [case for case in CASES if not case.dialect.correlates]


class Talk:
    def __init__(self, case: Case, options: Options | None = None) -> None:
        self.now = 100.0
        self.wire = WatchedWire(case, options or Options(tools=(Tool(name="lookup"),)))
        self.effects: list[Effect] = []
        self.wire.open(self.now)
        self.hear("session.created")
        self.hear("session.updated")
        assert self.wire.state is WireState.OPEN

    def hear(self, kind: str, **fields: Any) -> None:
        self.wire.receive(json.dumps({"type": kind, **fields}).encode(), self.now)
        self.beat()

    def beat(self) -> None:
        self.wire.take_frames()
        self.effects += self.wire.take_effects()

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.wire.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.wire.on_timer(self.now)
            self.beat()
        self.now = until

    def ask(self, wish: str) -> None:
        self.wire.create_response(wish, self.now)
        self.beat()

    @property
    def wishes(self) -> list[str]:
        """What was asked for on the wire, in order."""
        sent = self.wire.watch.creates
        return [event["response"]["instructions"].split("\n\n")[-1] for event in sent]

    @property
    def asked_as(self) -> str:
        event_id: str = self.wire.watch.creates[-1]["event_id"]
        return event_id


def named(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CORRELATING, ids=named)
@pytest.mark.parametrize("says", ["metadata", "nothing"])
def test_a_reply_without_its_announcement_answers_the_request(case: Case, says: str) -> None:
    talk = Talk(case)
    talk.ask("one")
    metadata = {"metadata": {"request": talk.asked_as}} if says == "metadata" else {}
    talk.hear("response.output_item.added", response_id="r1", item={"id": "i1"})
    talk.hear("response.done", response={"id": "r1", "status": "completed", **metadata})
    talk.ask("two")
    assert talk.wishes == ["one", "two"]
    talk.hear("response.created", response={"id": "r2", "metadata": None})
    talk.hear("response.done", response={"id": "r2", "status": "completed"})


@pytest.mark.parametrize("case", CORRELATING, ids=named)
def test_a_server_that_echoes_no_metadata_is_not_taken_for_dead(case: Case) -> None:
    talk = Talk(case)
    talk.ask("one")
    talk.hear("response.created", response={"id": "r1"})
    talk.hear("response.done", response={"id": "r1", "status": "completed"})
    talk.wait(60.0)
    assert talk.wire.state is WireState.OPEN


@pytest.mark.parametrize("case", OTHERS, ids=named)
@pytest.mark.parametrize("names_it", [True, False])
def test_a_request_that_lost_the_race_with_the_vendors_own_reply_is_made_again(
    case: Case, names_it: bool
) -> None:
    talk = Talk(case)
    talk.ask("one")
    talk.hear("response.created", response={"id": "r1"})
    error = {
        "type": "invalid_request_error",
        "code": "invalid_value" if case.dashscope else "conversation_already_has_active_response",
        "message": "Another response is in progress.",
        "event_id": talk.asked_as if names_it else None,
    }
    talk.hear("error", error=error)
    talk.hear("response.done", response={"id": "r1", "status": "completed"})
    assert talk.wishes == ["one", "one"]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_end_of_a_cut_reply_is_awaited_from_the_cut(case: Case) -> None:
    talk = Talk(case)
    talk.hear("response.created", response={"id": "r1"})
    talk.wait(10.0)  # it thinks
    talk.wire.cancel(None, talk.now)
    talk.beat()
    talk.wait(4.9)
    assert not [effect for effect in talk.effects if isinstance(effect, AssistantTurnEnd)]
    talk.wait(0.2)
    assert [effect for effect in talk.effects if isinstance(effect, AssistantTurnEnd)]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_call_of_a_reply_that_is_named_late_is_answered(case: Case) -> None:
    talk = Talk(case)
    call = {"type": "function_call", "call_id": "c1", "name": "lookup", "arguments": "{}"}
    talk.hear("response.created", response={"status": "in_progress"})
    talk.hear("response.output_item.done", item={**call, "status": "completed"})
    talk.hear("response.output_item.added", response_id="r1", item={"id": "i1"})
    talk.hear("response.done", response={"id": "r1", "status": "completed"})
    talk.wire.send_tool_result("c1", "sunny", talk.now)
    talk.beat()
    assert talk.wire.watch.calls == {"c1": True}


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_start_of_speech_without_its_end_holds_no_wish_beyond_the_vendors_answer(
    case: Case,
) -> None:
    talk = Talk(case)
    talk.hear("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=0)
    talk.hear("response.created", response={"id": "r1", "metadata": None})
    talk.hear("response.done", response={"id": "r1", "status": "completed"})
    talk.ask("one")
    talk.wait(10.0)
    assert talk.wishes == ["one"]

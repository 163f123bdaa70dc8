"""The rules of a conversation with the model in the box, without engines and without a clock."""

from __future__ import annotations

from typing import Any

from realtime_core.errors import ErrorKind, SessionLostError
from realtime_core.events import (
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Interrupted,
    SessionClose,
    SessionOpen,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.options import Options, ServerVAD
from realtime_core.wire import AudioDelta, AudioEnd, Effect, FlushPlayback, WireState
from realtime_local._frames import from_json, spoken, to_json
from realtime_local._wire import ENGINE_SILENCE_LIMIT_S, LocalWire

RATE_HZ = 16000


class Talk:
    """A wire and the frames that cross."""

    def __init__(self, **options: Any) -> None:
        self.now = 100.0
        self.wire = LocalWire(
            vendor="local",
            options=Options(**options),
            instructions="You work for ACME.",
            session_id="s1",
            output_rate_hz=RATE_HZ,
        )
        self.wire.open(self.now)
        assert isinstance(self.told()[0], SessionOpen)

    def told(self) -> list[Effect]:
        return self.wire.take_effects()

    def kinds(self) -> list[str]:
        return [type(effect).__name__ for effect in self.told()]

    def sent(self, kind: str | None = None) -> list[dict[str, Any]]:
        frames = [from_json(frame) for frame in self.wire.take_frames()]
        return [frame for frame in frames if kind in (None, frame["type"])]

    def say(self, kind: str, **fields: Any) -> Talk:
        self.wire.receive(to_json(kind, **fields), self.now)
        return self

    def speech(self, item: str = "u1") -> Talk:
        return self.say("speech_started", item=item, at_ms=100)

    def quiet(self, item: str = "u1") -> Talk:
        return self.say("speech_ended", item=item, at_ms=900)

    def heard(self, text: str, item: str = "u1") -> Talk:
        return self.say("transcript", item=item, text=text, answered=True)

    def turn(self, text: str, item: str = "u1") -> Talk:
        return self.speech(item).quiet(item).heard(text, item)

    def audio(self, ms: int, reply: int = 1) -> Talk:
        self.wire.receive(spoken(reply, bytes(ms * RATE_HZ // 1000 * 2)), self.now)
        return self

    def sentence(self, text: str, ms: int, reply: int = 1) -> Talk:
        return self.begin(text, ms, reply).say("said", reply=reply)

    def begin(self, text: str, ms: int, reply: int = 1) -> Talk:
        """Some of the audio of a sentence."""
        return self.say("say", reply=reply, text=text).audio(ms, reply)

    def done(self, reply: int = 1, status: str = "completed") -> Talk:
        return self.say("done", reply=reply, status=status)

    def wait(self, seconds: float) -> Talk:
        self.now += seconds
        self.wire.on_timer(self.now)
        return self

    def remembered(self) -> list[tuple[str, str]]:
        """What the next reply is given."""
        self.wire.create_response(None, self.now)
        (request,) = self.sent("reply")
        return [(line["role"], line["text"]) for line in request["history"]]


def test_a_turn_is_heard_answered_and_spoken() -> None:
    talk = Talk()
    talk.turn("good morning")
    assert talk.kinds() == ["UserSpeechStarted", "UserSpeechEnded", "UserTranscript"]
    (request,) = talk.sent("reply")
    assert request["history"][-1]["text"] == "good morning"
    assert request["instructions"] == "You work for ACME."
    assert not request["is_greeting"]
    talk.sentence("Hello.", 500).sentence("How are you?", 700).done()
    told = talk.told()
    assert [effect for effect in told if isinstance(effect, AssistantText)][-1].text == (
        "Hello. How are you?"
    )
    assert [type(effect) for effect in told] == [
        AssistantText,
        AudioDelta,
        AssistantText,
        AudioDelta,
        AssistantText,
        AudioEnd,
        AssistantTurnEnd,
    ]


def test_a_barge_in_tells_in_order_and_the_model_remembers_what_was_heard() -> None:
    talk = Talk()
    talk.turn("tell me a story").sentence("Once upon a time.", 1000)
    talk.sentence("There was a king and a queen.", 1000)
    talk.told()
    talk.sent()
    talk.now += 1.5
    talk.speech("u2")
    assert [frame["type"] for frame in talk.sent()] == ["stop"]
    talk.wire.report_playback("item_1", 1500, True, talk.now)
    told = talk.told()
    assert [type(effect) for effect in told] == [
        FlushPlayback,
        UserSpeechStarted,
        AssistantText,
        Interrupted,
        AssistantTurnEnd,
    ]
    (cut,) = [effect for effect in told if isinstance(effect, Interrupted)]
    assert (cut.heard_ms, cut.cut_ms, cut.truncated) == (1500, 500, True)
    talk.quiet("u2").heard("stop", "u2")
    (request,) = talk.sent("reply")
    lines = [(line["role"], line["text"]) for line in request["history"]]
    assert lines == [
        ("user", "tell me a story"),
        ("assistant", "Once upon a time. There was a ..."),
        ("user", "stop"),
    ]


def test_a_reply_cut_before_its_first_sound_was_never_said() -> None:
    talk = Talk()
    talk.turn("hello").say("say", reply=1, text="Good morning.")
    talk.sent()
    talk.speech("u2").wait(0.2)
    talk.quiet("u2").heard("wait", "u2")
    (request,) = talk.sent("reply")
    assert [line["text"] for line in request["history"]] == ["hello", "wait"]


def test_what_was_heard_to_its_end_is_remembered_whole() -> None:
    talk = Talk()
    talk.turn("hello").sentence("Good morning.", 500).done()
    talk.sent()
    talk.wait(1)
    assert talk.remembered() == [("user", "hello"), ("assistant", "Good morning.")]


def test_a_reply_that_is_over_but_still_heard_is_cut_too() -> None:
    talk = Talk()
    talk.turn("hello").sentence("One two three four.", 1000).done()
    talk.told()
    talk.sent()
    talk.now += 0.5
    talk.speech("u2")
    assert "Interrupted" in talk.wait(0.2).kinds()
    talk.quiet("u2").heard("no", "u2")
    (request,) = talk.sent("reply")
    assert request["history"][1]["text"] == "One two ..."


def test_speech_during_recognition_is_answered_once_and_together() -> None:
    talk = Talk()
    talk.speech("u1").quiet("u1").speech("u2").heard("one", "u1")
    assert talk.sent("reply") == []
    talk.quiet("u2").heard("two", "u2")
    (request,) = talk.sent("reply")
    assert [line["text"] for line in request["history"]] == ["one", "two"]


def test_what_was_not_understood_is_answered_but_no_transcript() -> None:
    talk = Talk()
    talk.turn("")
    assert talk.kinds() == ["UserSpeechStarted", "UserSpeechEnded"]
    assert len(talk.sent("reply")) == 1


def test_without_interrupting_the_reply_goes_on_and_the_turn_is_answered_after_it() -> None:
    talk = Talk(vad=ServerVAD(interrupt=False))
    talk.turn("one").sentence("A long story.", 500)
    talk.sent()
    talk.turn("two", "u2")
    assert talk.sent() == []
    started = [effect for effect in talk.told() if isinstance(effect, UserSpeechStarted)]
    assert not started[-1].interrupts
    talk.done()
    assert len(talk.sent("reply")) == 1


def test_without_answering_a_turn_waits_for_the_application() -> None:
    talk = Talk(vad=ServerVAD(respond=False))
    talk.turn("one")
    assert talk.sent("reply") == []
    talk.wire.create_response("Be short.", talk.now)
    (request,) = talk.sent("reply")
    assert request["instructions"] == "You work for ACME.\n\nBe short."


def test_a_greeting_is_known_as_one() -> None:
    talk = Talk()
    talk.wire.create_response(None, talk.now)
    (request,) = talk.sent("reply")
    assert request["is_greeting"]


def test_instructions_hold_from_the_next_reply() -> None:
    talk = Talk(system_prompt="Be kind.")
    talk.wire.update_instructions("Be brief.", talk.now)
    talk.wire.send_text("hello", True, talk.now)
    (request,) = talk.sent("reply")
    assert request["instructions"] == "You work for ACME.\n\nBe brief."


def test_a_second_wish_waits_for_the_first_reply_to_end() -> None:
    talk = Talk()
    talk.wire.create_response("one", talk.now)
    talk.wire.create_response("two", talk.now)
    assert len(talk.sent("reply")) == 1
    talk.done()
    (request,) = talk.sent("reply")
    assert request["instructions"].endswith("two")


def test_cancel_stops_the_reply_and_drops_what_waits() -> None:
    talk = Talk()
    talk.turn("hello").sentence("One two three four.", 1000)
    talk.wire.create_response("more", talk.now)
    talk.sent()
    talk.told()
    talk.wire.cancel(250, talk.now)
    assert [frame["type"] for frame in talk.sent()] == ["stop"]
    ends = [effect for effect in talk.told() if isinstance(effect, (Interrupted, AssistantTurnEnd))]
    assert [type(end) for end in ends] == [Interrupted, AssistantTurnEnd]
    assert talk.remembered()[-1] == ("assistant", "One ...")


def test_cancel_with_nothing_to_cancel_is_nothing() -> None:
    talk = Talk()
    talk.wire.cancel(None, talk.now)
    assert talk.sent() == []
    assert talk.told() == []


def test_audio_that_crossed_a_cut_is_dropped_and_counted() -> None:
    talk = Talk()
    talk.turn("hello").sentence("Hi.", 100)
    talk.speech("u2")
    talk.told()
    talk.audio(100).say("say", reply=1, text="more").done()
    assert talk.kinds() == []
    assert talk.wire.late_audio == 1


def test_tools_are_called_and_their_answers_are_answered() -> None:
    talk = Talk()
    talk.turn("book a table")
    talk.sent()
    call = {"call_id": "c1", "name": "book", "arguments": {"people": 2}}
    talk.say("call", reply=1, **call)
    assert talk.wire.waits_for("c1")
    talk.wire.send_tool_result("c1", "done", talk.now)
    assert talk.sent() == []  # the reply is not over
    talk.done()
    (request,) = talk.sent("reply")
    assert request["history"][-2]["calls"] == [call]
    assert (request["history"][-1]["role"], request["history"][-1]["text"]) == ("tool", "done")
    calls = [effect for effect in talk.told() if isinstance(effect, ToolCall)]
    assert [one.arguments for one in calls] == [{"people": 2}]


def test_an_answer_to_a_cut_reply_is_remembered_but_nobody_speaks_up_for_it() -> None:
    talk = Talk()
    talk.turn("book a table").say("call", reply=1, call_id="c1", name="book", arguments={})
    talk.speech("u2")
    talk.wire.send_tool_result("c1", "done", talk.now)
    talk.sent()
    talk.wait(0.2).quiet("u2").heard("never mind", "u2")
    (request,) = talk.sent("reply")
    assert [line["role"] for line in request["history"]] == ["user", "assistant", "tool", "user"]


def test_manual_turns_are_committed_recognised_and_answered() -> None:
    talk = Talk(disable_server_vad=True)
    talk.wire.audio_frame(bytes(32 * 99))
    assert not talk.wire.commit_input_audio(talk.now)
    (error,) = [effect for effect in talk.told() if isinstance(effect, ErrorEvent)]
    assert not error.fatal
    talk.wire.audio_frame(bytes(32 * 20))
    assert talk.wire.commit_input_audio(talk.now)
    (commit,) = talk.sent("commit")
    assert talk.sent("reply") == []
    talk.heard("hello", commit["item"])
    assert len(talk.sent("reply")) == 1
    assert [type(effect) for effect in talk.told()] == [UserTranscript]


def test_a_committed_turn_that_is_cancelled_is_heard_and_not_answered() -> None:
    talk = Talk(disable_server_vad=True)
    talk.wire.audio_frame(bytes(32 * 120))
    talk.wire.commit_input_audio(talk.now)
    talk.wire.cancel(None, talk.now)
    talk.heard("hello", "turn_1")
    assert talk.sent("reply") == []
    talk.wire.audio_frame(bytes(32 * 120))
    talk.wire.commit_input_audio(talk.now)
    talk.heard("are you there", "turn_2")
    (request,) = talk.sent("reply")
    assert [line["text"] for line in request["history"]] == ["hello", "are you there"]


def test_turns_committed_one_behind_the_other_are_answered_once() -> None:
    talk = Talk(disable_server_vad=True)
    for _ in range(2):
        talk.wire.audio_frame(bytes(32 * 120))
        talk.wire.commit_input_audio(talk.now)
    talk.heard("hello", "turn_1")
    assert talk.sent("reply") == []
    talk.heard("are you there", "turn_2")
    assert len(talk.sent("reply")) == 1
    talk.sentence("Yes.", 300).done()
    assert talk.sent("reply") == []


def test_a_turn_that_is_cleared_in_mid_speech_is_not_answered() -> None:
    talk = Talk()
    talk.speech()
    talk.wire.clear_input_audio(talk.now)
    assert [frame["type"] for frame in talk.sent()] == ["clear"]
    talk.quiet().say("transcript", item="u1", text="", answered=False)
    assert talk.sent() == []
    assert [type(effect) for effect in talk.told()] == [UserSpeechStarted, UserSpeechEnded]
    assert talk.wire.deadline() is None


def test_an_engine_that_says_nothing_more_ends_the_session() -> None:
    for begin in (Talk().turn("hello"), Talk().speech().quiet()):
        begin.told()
        due = begin.wire.deadline()
        assert due is not None
        begin.wait(due - begin.now)
        told = begin.told()
        assert isinstance(told[0], ErrorEvent)
        assert told[0].fatal
        assert told[0].error.kind is ErrorKind.STALLED
        assert isinstance(told[-1], SessionClose)
        assert due == 100.0 + ENGINE_SILENCE_LIMIT_S


def test_speech_may_go_on_for_as_long_as_it_likes() -> None:
    talk = Talk().speech()
    assert talk.wire.deadline() is None


def test_an_error_of_an_engine_is_told_and_ends_only_the_turn() -> None:
    talk = Talk().turn("hello")
    talk.say("error", message="no", error_kind="transport", retryable=True)
    talk.sentence("Sorry.", 300).done(status="failed")
    told = talk.told()
    (error,) = [effect for effect in told if isinstance(effect, ErrorEvent)]
    assert (error.fatal, error.error.kind) == (False, ErrorKind.TRANSPORT)
    (end,) = [effect for effect in told if isinstance(effect, AssistantTurnEnd)]
    assert end.status == "failed"
    assert talk.wire.state is WireState.OPEN


def test_close_ends_an_open_reply_first() -> None:
    talk = Talk().turn("hello").sentence("Hi.", 100)
    talk.told()
    talk.wire.close(talk.now)
    told = talk.told()
    assert [type(effect) for effect in told][-2:] == [AssistantTurnEnd, SessionClose]
    talk.wire.close(talk.now)
    assert talk.told() == []


def test_the_end_of_the_engine_room_is_fatal() -> None:
    talk = Talk()
    talk.wire.receive_eof(1011, "the speech detector failed", talk.now)
    told = talk.told()
    assert isinstance(told[0], ErrorEvent)
    assert isinstance(told[0].error, SessionLostError)
    assert isinstance(told[1], SessionClose)


def test_what_comes_while_a_reply_is_thought_of_comes_behind_it() -> None:
    talk = Talk()
    talk.turn("go")
    talk.sent("reply")
    talk.wire.send_text("wait", True, talk.now)  # before the reply's first word
    talk.sentence("Gone.", 400).done()
    (request,) = talk.sent("reply")
    lines = [(line["role"], line["text"]) for line in request["history"]]
    assert lines == [("user", "go"), ("assistant", "Gone."), ("user", "wait")]
    assert not request["is_greeting"]


def test_a_reply_to_tools_is_no_greeting() -> None:
    talk = Talk()
    talk.turn("book")
    talk.say("call", reply=1, call_id="c1", name="book", arguments={}).done()
    talk.turn("hello?", "u2")
    talk.sent()
    talk.wire.send_tool_result("c1", "done", talk.now)  # reply 2 knows nothing of it
    talk.sentence("I am here.", 400, 2).done(2)
    (request,) = talk.sent("reply")
    assert [line["role"] for line in request["history"]] == [
        "user", "assistant", "user", "assistant", "tool",
    ]  # fmt: skip
    assert not request["is_greeting"]


def test_of_a_sentence_whose_audio_is_still_coming_only_the_words_that_were_heard_are_kept() -> (
    None
):
    talk = Talk()
    talk.turn("go").sentence("One two.", 700)
    talk.begin("Three four five six.", 360)  # of 1400 ms or so
    talk.wait(1.06)
    talk.speech("u2").wait(0.2)
    assert talk.heard("stop", "u2").sent("reply")[-1]["history"][1]["text"] == (
        "One two. Three ..."
    )


def test_a_whole_sentence_that_was_heard_stays_whole_however_slowly_the_next_comes() -> None:
    talk = Talk()
    talk.turn("go").sentence("One two three.", 700)
    talk.wait(2)
    talk.wire.cancel(700, talk.now)
    talk.sent()
    assert talk.remembered()[1] == ("assistant", "One two three.")

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from realtime_core import (
    AssistantText,
    AssistantTurnEnd,
    Options,
    UserTranscript,
    new_agent_from_credential,
)
from realtime_core.errors import ConfigError
from realtime_core.testing.recorder import Recorder
from realtime_local.recogniser import SCORE_THRESHOLD, SphinxRecogniser
from realtime_local.script_grammar import grammar_of
from realtime_local.script_matching import Matcher
from realtime_local.script_reading import demo_script
from realtime_local.sphinx_process import START, mean_of
from realtime_local.vocabulary import dictionary_of, grammar_words, unknown_words
from tests.local.doubles import Humming
from tests.local.phrases import TUNING_OFF_SCRIPT
from tests.local.sounds import narrow, silence, spoken

GRAMMAR = """#JSGF V1.0 UTF-8 en;
grammar desk; // not a word
/* nor
this */
<number> = /0.5/ one | /2/ two {two} | three;
public <s> = [please] book a table for <number> | what time is it | (i want to cancel)+ my order | good bye <NULL>;
"""
WORDS = {
    "please", "book", "a", "table", "for", "one", "two", "three", "what", "time", "is", "it",
    "i", "want", "to", "cancel", "my", "order", "good", "bye",
}  # fmt: skip


def uttered(text: str) -> bytes:
    return silence(300) + spoken(text) + silence(450)


@pytest.fixture(scope="module")
def recogniser() -> SphinxRecogniser:
    return SphinxRecogniser(GRAMMAR)


@pytest.mark.parametrize(
    "text", ["book a table for two", "what time is it", "i want to cancel my order", "good bye"]
)
@pytest.mark.parametrize("line", [bytes, narrow], ids=lambda line: line.__name__)
def test_a_sentence_of_the_grammar_is_understood(
    recogniser: SphinxRecogniser, text: str, line: type[bytes]
) -> None:
    heard = recogniser.recognise(line(uttered(text)))
    assert heard.text == text
    assert heard.score is not None
    assert SCORE_THRESHOLD <= heard.score <= 1


@pytest.mark.parametrize(
    "text", ["my sister bought a blue bicycle yesterday", "do you know any good films"]
)
def test_what_is_not_of_the_grammar_is_rejected(recogniser: SphinxRecogniser, text: str) -> None:
    assert recogniser.recognise(uttered(text)).text == ""


@pytest.mark.parametrize(
    ("way", "digits"),
    [("five two seven", "527"), ("double five two", "552"), ("triple two", "222")],
)
def test_a_digit_said_once_and_meant_several_times_is_understood(way: str, digits: str) -> None:
    script = demo_script()
    heard = SphinxRecogniser(grammar_of(script)).recognise(uttered(f"my account number is {way}"))
    match = Matcher(script).match(heard.text)
    assert match is not None
    assert (match.intent.name, match.slots["account"].value) == ("account", digits)


@pytest.mark.parametrize("seconds", [1, 5, 10])
@pytest.mark.parametrize("level", [0, 200])
def test_nothing_is_found_in_silence_and_noise(seconds: int, level: int) -> None:
    noise = np.random.default_rng(1).normal(0, level, 16000 * seconds).astype("<i2").tobytes()
    assert SphinxRecogniser(grammar_of(demo_script())).recognise(noise).text == ""


async def test_who_says_nothing_in_a_turn_ended_by_hand_is_not_taken_to_say_good_bye() -> None:
    recorder = Recorder()
    options = Options(on_event=recorder, disable_server_vad=True, vendor={"synthesiser": Humming()})
    async with new_agent_from_credential({"provider": "local"}, options) as agent:
        await agent.push_audio(silence(1000))
        await agent.commit_input_audio()
        await recorder.wait_for(AssistantTurnEnd)
    assert not recorder.of(UserTranscript)
    (said,) = [text.text for text in recorder.of(AssistantText) if text.final]
    assert said == demo_script().fallback[0]


def test_no_sentence_is_found_in_long_talk() -> None:
    said = [spoken(sentence) + silence(80) for sentence in TUNING_OFF_SCRIPT[:15]]
    talks = [b"".join(said[at : at + 5]) for at in range(0, len(said), 5)]
    recogniser = SphinxRecogniser(grammar_of(demo_script()))
    assert [recogniser.recognise(talk).text for talk in talks] == [""] * len(talks)


def test_half_a_sentence_is_rejected_however_clear() -> None:
    heard = SphinxRecogniser(GRAMMAR, score_threshold=0.0).recognise(uttered("book a table"))
    assert heard.text in ("", "book a table for two")


def test_the_same_audio_gives_the_same_score_whatever_came_before(
    recogniser: SphinxRecogniser,
) -> None:
    pcm = uttered("what time is it")
    first = recogniser.recognise(pcm)
    recogniser.recognise(uttered("good bye"))
    assert recogniser.recognise(pcm) == first == SphinxRecogniser(GRAMMAR).recognise(pcm)


@pytest.mark.parametrize("pcm", [b"", silence(99), silence(100), silence(3000)], ids=len)
def test_nothing_is_heard_in_silence(recogniser: SphinxRecogniser, pcm: bytes) -> None:
    assert recogniser.recognise(pcm).text == ""


def test_other_threads_run_meanwhile(recogniser: SphinxRecogniser) -> None:
    pcm, done, turns = uttered("i want to cancel my order") * 6, threading.Event(), 0

    def work() -> None:
        recogniser.recognise(pcm)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not done.wait(0.001):
        turns += 1
    worker.join()
    assert turns >= 5


def test_the_words_of_a_grammar() -> None:
    assert grammar_words(GRAMMAR) == WORDS


def test_keywords_are_words_too() -> None:
    grammar = """#JSGF V1.0; /* of; */ grammar grammar;
import <school.*>;
public
<s> = the grammar school {import <tag>;} | public holidays | import duty | <public> hello;
<public> = public;
"""
    words = {"the", "grammar", "school", "public", "holidays", "import", "duty", "hello"}
    assert grammar_words(grammar) == words
    recogniser = SphinxRecogniser(
        "#JSGF V1.0; grammar x; public <s> = are you open on public holidays | hello;"
    )
    heard = recogniser.recognise(uttered("are you open on public holidays"))
    assert heard.text == "are you open on public holidays"


def test_capital_letters_do_no_harm() -> None:
    recogniser = SphinxRecogniser(
        "#JSGF V1.0; grammar x; public <s> = What Time is IT | Xyzzy;",
        pronunciations={"xyzzy": "Z IH Z IY"},
    )
    assert recogniser.recognise(uttered("what time is it")).text == "what time is it"
    assert dictionary_of(["Read"], {}) == "Read R EH D\nRead(2) R IY D\n"


def test_words_without_a_pronunciation_are_named() -> None:
    assert unknown_words(["Hello", "xyzzy", "frobnicate", "table"]) == ["frobnicate", "xyzzy"]
    with pytest.raises(ConfigError, match="does not have: frobnicate, xyzzy;"):
        SphinxRecogniser("#JSGF V1.0; grammar x; public <s> = hello xyzzy frobnicate;")


def test_a_pronunciation_makes_a_word_known() -> None:
    own = {"Xyzzy": "Z IH Z IY"}
    SphinxRecogniser("#JSGF V1.0; grammar x; public <s> = hello xyzzy;", pronunciations=own)
    assert dictionary_of(["read", "xyzzy"], own).splitlines() == [
        "xyzzy Z IH Z IY",
        "read R EH D",
        "read(2) R IY D",
    ]
    with pytest.raises(ConfigError, match="ARPAbet"):
        dictionary_of(["xyzzy"], {"xyzzy": "zizzy"})


def test_phones_there_are_not_are_refused() -> None:
    grammar = "#JSGF V1.0; grammar x; public <s> = hello xyzzy;"
    with pytest.raises(ConfigError, match=r"pronunciation of 'xyzzy': .* got 'QQ ZZ'"):
        SphinxRecogniser(grammar, pronunciations={"xyzzy": "QQ ZZ"})


@pytest.mark.parametrize(
    ("grammar", "told"),
    [
        ("", "begins with '#JSGF"),
        ("public <s> = hello;", "begins with '#JSGF"),
        ("#JSGF V1.0; grammar x;", "words in it"),
        ("#JSGF V1.0; grammar x; <s> = hello;", "a public rule"),
        ("#JSGF V1.0; grammar x; public <s> = (hello;", "a public rule"),
        ("#JSGF V1.0; grammar x; public <s> = hello <name>;", "not defined: name"),
        ('#JSGF V1.0; grammar x; public <s> = "hello";', "without quotation marks"),
    ],
)
def test_what_is_no_grammar_is_refused(grammar: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        SphinxRecogniser(grammar)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="score_threshold"):
        SphinxRecogniser(GRAMMAR, score_threshold=1.1)
    with pytest.raises(ConfigError, match="noise_floor"):
        SphinxRecogniser(GRAMMAR, noise_floor=-1)


def test_free_speech_is_heard() -> None:
    heard = SphinxRecogniser(None).recognise(uttered("what time is it"))
    assert "time" in heard.text
    assert heard.score is None


def test_nothing_is_printed() -> None:
    program = (
        "from realtime_local.recogniser import SphinxRecogniser\n"
        "r = SphinxRecogniser('#JSGF V1.0; grammar x; public <s> = hello;')\n"
        "r.recognise(bytes(32000))\n"
        "try: SphinxRecogniser('#JSGF V1.0; grammar x; public <s> = (hello;')\n"
        "except ValueError: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("frames", [1, 100, 300, 301, 2000])
def test_the_start_is_taken_out_of_the_mean(frames: int) -> None:
    total, sums = 500.0, [float(part) * 500 for part in START.split(",")]
    for _ in range(frames):
        sums, total = [part + 7 for part in sums], total + 1
        if total > 800:
            sums, total = [part * 500 / total for part in sums], 500.0
    told = ",".join(str(part / total) for part in sums)
    got = [float(part) for part in mean_of(told, frames).split(",")]
    assert got == pytest.approx([7.0] * 13, abs=0.01)

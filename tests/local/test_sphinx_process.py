"""The recogniser's process, alone and in this process: what it answers."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pocketsphinx
import pytest

from realtime_local.recogniser import SphinxRecogniser
from realtime_local.sphinx_package import model_folder
from realtime_local.sphinx_process import MOST_DECODERS, Decoders, serve
from realtime_local.sphinx_worker import FREE_SPEECH, GRAMMARS, SphinxWorker
from tests.local.sounds import narrow, silence, spoken

SENTENCES = "what time is it", "book a table for two", "my sister bought a blue bicycle yesterday"


def desk(name: str = "desk", word: str = "please") -> dict[str, Any]:
    grammar = (
        f"#JSGF V1.0; grammar {name}; public <s> = [{word}] book a table for two | what time is it;"
    )
    return _request(SphinxRecogniser(grammar))


def _request(recogniser: SphinxRecogniser) -> dict[str, Any]:
    return recogniser._request


def answers(decoders: Decoders, *requests: tuple[dict[str, Any], bytes]) -> list[dict[str, Any]]:
    sent = b"".join(
        json.dumps({**request, "size": len(pcm)}).encode() + b"\n" + pcm
        for request, pcm in requests
    )
    replies = BytesIO()
    serve(BytesIO(sent), replies, decoders)
    return [json.loads(line) for line in replies.getvalue().splitlines()]


@pytest.fixture(scope="module")
def decoders() -> Decoders:
    return Decoders(pocketsphinx, str(model_folder()))


@pytest.fixture(scope="module")
def utterances() -> list[bytes]:
    said = [silence(300) + spoken(text) + silence(450) for text in SENTENCES]
    return [*said, *(narrow(pcm) for pcm in said), b"".join(said) * 2, silence(1000)]


@pytest.mark.parametrize("free", [False, True], ids=["grammar", "free"])
def test_the_process_hears_what_pocketsphinx_hears_here_to_the_last_bit(
    decoders: Decoders, utterances: list[bytes], free: bool
) -> None:
    request = _request(SphinxRecogniser(None)) if free else desk()
    worker: SphinxWorker = FREE_SPEECH if free else GRAMMARS
    chosen = utterances[:2] if free else utterances  # a third of a second for each of speech
    here = answers(decoders, *((request, pcm) for pcm in chosen))
    assert here == [worker.ask(request, pcm) for pcm in chosen]
    assert len({answer["text"] for answer in here}) > 1


def test_a_decoder_hears_the_same_whatever_another_grammar_heard_before(
    decoders: Decoders, utterances: list[bytes]
) -> None:
    pairs = [(request, pcm) for request in (desk(), desk("other")) for pcm in utterances[:2]]
    in_turn = answers(decoders, *pairs)
    mixed = answers(decoders, *(pairs[index] for index in (2, 0, 3, 1)))
    assert [mixed[index] for index in (1, 3, 0, 2)] == in_turn


def test_a_sentence_that_breaks_off_is_told_from_a_whole_one(decoders: Decoders) -> None:
    decoder = decoders.decoder(desk())
    fsg = decoder.get_fsg("grammar")
    assert fsg.accept("book a table for two")
    assert not fsg.accept("book a table")


def test_without_audio_the_decoder_is_made_and_no_more(decoders: Decoders) -> None:
    assert answers(decoders, (desk("alone"), b"")) == [{}]


def test_what_fails_is_told_and_the_next_request_is_served(decoders: Decoders) -> None:
    broken = {**desk(), "grammar": "#JSGF V1.0; grammar x; public <s> = (hello;"}
    failed, lost, served = answers(
        decoders, (broken, b""), ({"grammar": "x"}, b"1234"), (desk(), silence(500))
    )
    assert failed["is_grammar"]
    assert failed["error"].startswith("grammar: expected JSGF")
    assert not lost["is_grammar"]
    assert lost["error"] == "KeyError: 'dictionary'"
    assert "error" not in served


class Counted:
    """Stands in for the package."""

    def __init__(self) -> None:
        self.made = 0

    def Decoder(self, **_: object) -> Counted:  # noqa: N802 - as it is called there
        self.made += 1
        return self

    def add_word(self, word: str, phones: str, *, update: bool) -> None: ...

    def add_jsgf_string(self, name: str, grammar: str) -> None: ...


def test_the_grammars_used_last_are_kept() -> None:
    package = Counted()
    kept = Decoders(package, "")

    def use(number: int) -> int:
        kept.decoder({"grammar": f"{number}", "dictionary": "a AH\n", "word": "a"})
        return package.made

    for number in range(MOST_DECODERS):
        use(number)
    assert use(0) == MOST_DECODERS  # the one used longest ago is 1 now
    assert use(MOST_DECODERS) == MOST_DECODERS + 1
    assert len(kept) == MOST_DECODERS
    assert use(0) == MOST_DECODERS + 1
    assert use(1) == MOST_DECODERS + 2

"""
pocketsphinx behind a pipe: a program of its own, of the standard library and pocketsphinx alone.

Run as `python -I -S sphinx_process.py PACKAGES MODEL`, the folders of the package and of its models, so that nothing
of the application gets into this process. pocketsphinx holds Python's lock while it works: in the application it
would hold up every other call.

It writes lines of JSON in ASCII: `{"ready": true}` once, then one for every request. A request is such a line, too,
followed by as many bytes of PCM16LE mono at 16 kHz as its `size` says. It gives its grammar in full each time, so
that a process which has only just been started needs to be told nothing else; the decoders of the grammars used last
are kept. Without audio the decoder is made, and that is all. At the end of its input the process ends.

The mean: recognition levels out microphone and line by the mean of an utterance's cepstra, and half of the sentences
are lost where it has to follow a running one. So an utterance goes through twice: first to learn the mean, with next
to nothing to search for, then to decode. The mean that the decoder tells then still contains what it began with;
`mean_of` takes that out. (`full_utt` has pocketsphinx do the same in one go; its scores differ in the second digit,
and those of this way are what the least score was chosen for.)
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import OrderedDict
from typing import Any, BinaryIO, Final

__all__ = ["MOST_DECODERS", "START", "Decoders", "main", "mean_of", "serve"]

MOST_DECODERS: Final = 8
"""So many grammars are kept, of 13 MB each; another one takes 20 ms to make."""
START: Final = "40,3,-1,0,0,0,0,0,0,0,0,0,0"
"""The mean to begin the first pass with: the decoder's own."""

_WINDOW: Final = 500
"""What `START` counts for, in frames; CMN_WIN of pocketsphinx."""
_HIGH_WATER: Final = 800
"""With more frames than that all weights shrink so that their sum is the window's; CMN_WIN_HWM."""
_NO_WORD: Final = ("<", "[", "(")
"""What silence, noises and transitions without a sound begin with."""
_GRAMMAR: Final = "grammar"
_FREE: Final = "_default"
_LEARN: Final = "learn"


class Decoders:
    """
    Makes decoders, and keeps those used last.

    Args:
        pocketsphinx: The package.
        model: Folder of its models.
    """

    def __init__(self, pocketsphinx: Any, model: str) -> None:
        self._pocketsphinx = pocketsphinx
        self._model = f"{model}/en-us"
        self._kept: OrderedDict[tuple[str, str] | None, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def decoder(self, request: dict[str, Any]) -> Any:
        """Give the decoder of a request's grammar, or of free speech where it has none."""
        grammar: str | None = request["grammar"]
        key = None if grammar is None else (grammar, request["dictionary"])
        decoder = self._kept.get(key)
        if decoder is None:
            decoder = self._free() if key is None else self._of_grammar(*key)
            word = "hello" if key is None else request["word"]
            # A search which is as good as none, to learn the mean with.
            decoder.add_jsgf_string(_LEARN, f"#JSGF V1.0; grammar learn; public <learn> = {word};")
            self._kept[key] = decoder
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_DECODERS:
            self._kept.popitem(last=False)
        return decoder

    def _of_grammar(self, grammar: str, dictionary: str) -> Any:
        # The search for a better path through what was found costs more than all the rest, and finds nothing
        # better in a grammar.
        decoder = self._make(lm=None, dict=None, bestpath=False)
        for line in dictionary.splitlines():
            word, _, phones = line.partition(" ")
            try:
                decoder.add_word(word, phones, update=False)
            except RuntimeError as error:
                raise _GrammarError(
                    f"pronunciation of {word!r}: expected ARPAbet phones like 'HH AH L OW', got {phones!r}"
                ) from error
        try:
            decoder.add_jsgf_string(_GRAMMAR, grammar)
        except (RuntimeError, ValueError) as error:
            raise _GrammarError(
                "grammar: expected JSGF with a public rule that ends somewhere"
            ) from error
        return decoder

    def _free(self) -> Any:
        return self._make(
            lm=f"{self._model}/en-us.lm.bin",
            dict=f"{self._model}/cmudict-en-us.dict",
            maxhmmpf=3000,
        )

    def _make(self, **settings: Any) -> Any:
        return self._pocketsphinx.Decoder(hmm=f"{self._model}/en-us", loglevel="FATAL", **settings)


class _GrammarError(ValueError):
    """What is wrong with a grammar or its dictionary."""


def serve(requests: BinaryIO, replies: BinaryIO, decoders: Decoders) -> None:
    """
    Answer requests until they end.

    Args:
        requests: Where they come from.
        replies: Where the answers go: `text` (null when nothing was found), `likelihood` of the whole utterance,
            `is_sentence`, whether the grammar has it whole, and `words`, the first and the last frame of each, or
            nothing without audio; or `error`, and `is_grammar` where the grammar is to blame.
        decoders: What recognises.
    """
    for line in requests:
        request = json.loads(line)
        pcm = requests.read(request["size"])
        try:
            decoder = decoders.decoder(request)
            reply = _recognise(decoder, request["grammar"] is not None, pcm) if pcm else {}
        except _GrammarError as error:
            reply = {"error": str(error), "is_grammar": True}
        except Exception as error:  # noqa: BLE001 - told to who asked; the next request may go better
            reply = {"error": f"{type(error).__name__}: {error}", "is_grammar": False}
        _write(replies, reply)


def mean_of(told: str, frames: int) -> str:
    """
    Take the start out of the mean told after the first pass.

    Args:
        told: What `Decoder.get_cmn(True)` gave.
        frames: How many frames went through, at least one.

    Returns:
        For `Decoder.set_cmn`.
    """
    total, of_start = float(_WINDOW), float(_WINDOW)
    for _ in range(frames):
        total += 1
        if total > _HIGH_WATER:
            of_start *= _WINDOW / total
            total = float(_WINDOW)
    pairs = zip(told.split(","), START.split(","), strict=True)
    means = [
        (float(mean) * total - float(start) * of_start) / (total - of_start)
        for mean, start in pairs
    ]
    return ",".join(f"{mean:.4f}" for mean in means)


def _recognise(decoder: Any, has_grammar: bool, pcm: bytes) -> dict[str, Any]:
    _decode(decoder, pcm, _LEARN, START)
    frames = decoder.n_frames()
    mean = mean_of(decoder.get_cmn(True), frames) if frames else START
    _decode(decoder, pcm, _GRAMMAR if has_grammar else _FREE, mean)
    best = decoder.hyp()
    if best is None:
        return {"text": None}
    text = str(best.hypstr)
    # A sentence may also break off in the middle.
    is_sentence = has_grammar and bool(decoder.get_fsg(_GRAMMAR).accept(text))
    words = [
        (part.start_frame, part.end_frame)
        for part in decoder.seg() or ()
        if not part.word.startswith(_NO_WORD)
    ]
    return {
        "text": text,
        "likelihood": float(best.best_score),
        "is_sentence": is_sentence,
        "words": words,
    }


def _decode(decoder: Any, pcm: bytes, search: str, mean: str) -> None:
    decoder.activate_search(search)
    decoder.reinit_feat()  # set_cmn sets the mean, but not for how many frames it counts
    decoder.set_cmn(mean)
    decoder.start_utt()
    decoder.process_raw(pcm)
    decoder.end_utt()


def _write(replies: BinaryIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode("ascii") + b"\n")
    replies.flush()


def main(packages: str, model: str) -> None:
    """
    Be the process.

    Args:
        packages: The folder that pocketsphinx is in.
        model: Folder of its models.
    """
    # A terminal sends Ctrl-C to all of its programs; the application decides, and then our input ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # whatever else is printed would be taken for a reply
        sys.path.append(packages)
        try:
            import pocketsphinx  # only found now
        except Exception as error:  # noqa: BLE001 - told to who started us
            _write(replies, {"error": f"{type(error).__name__}: {error}"})
            return
        _write(replies, {"ready": True})
        serve(sys.stdin.buffer, replies, Decoders(pocketsphinx, model))


if __name__ == "__main__":
    main(*sys.argv[1:])

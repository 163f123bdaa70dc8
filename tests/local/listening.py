"""Which of the demonstration's replies are in a recording: told from each other, and from what was never said."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_local.engines import MODEL_RATE_HZ
from realtime_local.recogniser import SphinxRecogniser
from realtime_local.script_matching import normalised_words
from realtime_local.script_reading import demo_script

__all__ = ["DECOYS", "HeardReply", "ReplyListener", "replies"]

DECOYS: Final = (
    "Hello, this is the city library. How can I help you?",
    "Hello, this is the Blue Harbor hotel. What is your name?",
    "Good evening, you have reached the garden center.",
    "It is raining today, so the garden is closed.",
    "It is cold today, but the rooms inside are warm.",
    "Thank you for waiting. One moment please.",
    "Thank you for your order. It is on its way.",
    "Your table is not ready yet, please wait at the bar.",
    "We are closed every day except Sunday.",
    "From Monday to Thursday we serve breakfast from seven until ten in the morning.",
    "A main course is between eight and ten dollars.",
    "The menu of the week, with two courses, is fifteen dollars.",
    "You find us at number nine, Station Road, behind the new church.",
    "Parking is not free, please leave your car at the station.",
    "One moment please, I am looking for your name.",
    "I am sorry, all our lines are busy. Please hold the line.",
    "Your order is not cancelled. You will be charged for it tomorrow.",
    "All right. I am waiting.",
    "You are right. Is there anybody else?",
    "The number you have called is not in service. Good night.",
)
"""Sentences that are about as long and use many of the same words."""

LEAST_LIKENESS: Final = 0.8
"""
Less is not believed.

A recogniser's score falls with every second, so this is what is left of it after one. Through a telephone's band the replies
and decoys, said by flite, have 0.81 to 0.87; taken for another one because their own sentence is missing, they have 0.64 to
0.79, and 0.82 to 0.84 where only a word or two differ. Both replies of 20 s go up to 0.93 then, so they are no good for this.
"""


def replies() -> tuple[str, ...]:
    """Give what the script can say that has nothing to fill in."""
    script = demo_script()
    said = [*script.greeting, *script.fallback, script.apology]
    for intent in script.intents:
        said += intent.answers
        said += [text for texts in intent.asks.values() for text in texts]
    return tuple(dict.fromkeys(text for text in said if "{" not in text))


@frozen
class HeardReply:
    """What was recognised."""

    text: str
    """Of a reply or a decoy; empty when none was recognised."""
    likeness: float
    """See `LEAST_LIKENESS`."""


class ReplyListener:
    """Recognises replies, one at a time; takes a fraction of a second to make."""

    def __init__(self) -> None:
        self._texts = {" ".join(normalised_words(text)): text for text in (*replies(), *DECOYS)}
        sentences = " | ".join(f"({words})" for words in self._texts)
        self._recogniser = SphinxRecogniser(
            f"#JSGF V1.0; grammar replies; public <heard> = {sentences};", score_threshold=0.0
        )

    def listen(self, pcm: bytes) -> HeardReply:
        """
        Recognise a recording of one reply.

        Args:
            pcm: PCM16LE mono at 16 kHz, pauses around it.
        """
        heard = self._recogniser.recognise(pcm)
        seconds = len(pcm) / (MODEL_RATE_HZ * BYTES_PER_SAMPLE)
        likeness = (heard.score or 0.0) ** (1 / seconds)
        known = likeness >= LEAST_LIKENESS
        return HeardReply(self._texts.get(heard.text, "") if known else "", likeness)

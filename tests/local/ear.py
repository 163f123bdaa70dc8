"""The ear of the machine: tells which reply a sound is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from realtime_local.recogniser import SphinxRecogniser
from tests.local.sounds import silence

DECOYS = (
    "Your table for three is booked, Sunday at six thirty. Your booking number is two zero four.",
    (
        "Your table for four is booked, friday at eight thirty. Your booking number is one zero one. "
        "We look forward to seeing you."
    ),
    (
        "Your table for four is booked, friday at seven thirty. Your booking number is one zero two. "
        "We look forward to seeing you."
    ),
    "One moment, I am looking for a table for eleven.",
    "One moment, I am looking for a table for five.",
    "For how many people would you like the table?",
    "For which evening would you like the room?",
    "At what time? Our kitchen is open from noon to ten o'clock.",
    "Hello again. How can I help you?",
    "Good morning. This is the Blue Garden restaurant.",
    "You are welcome here. Is that everything?",
    "My pleasure. Anything else?",
    "Thank you for your visit. Good night.",
    "Thank you for waiting. Please hold the line.",
    "Today we are closed, but you find us open again on Tuesday.",
    "Tomorrow we start with a cold cucumber soup and a salad with tomatoes and onions.",
    "All right, your order is cancelled. You will not be charged for it.",
    "I am sorry, I could not book that table. There is no free table at that time.",
    "Sorry, I did not understand that. You can book a table, or ask for the menu.",
    "You find us at number five, Garden Street, next to the old theater.",
)
"""What is not said in the call, some of it but a word away."""


def words(text: str) -> str:
    """Give the words of a text as a grammar has them."""
    return " ".join(re.findall(r"[a-z']+", text.lower()))


class Ear:
    """
    Knows the replies and the decoys, as wholes; a number or a time is nothing but words of them.

    Args:
        replies: Texts to tell apart.
        threshold: Least score of one that counts.
    """

    def __init__(self, replies: Sequence[str], threshold: float) -> None:
        known = dict.fromkeys(words(text) for text in (*replies, *DECOYS))
        grammar = f"#JSGF V1.0; grammar replies; public <reply> = {' | '.join(known)};"
        self._recogniser = SphinxRecogniser(grammar, score_threshold=threshold)
        self._heard: dict[bytes, str] = {}

    def hears(self, pcm: bytes) -> str:
        """Give the words heard in PCM16LE mono at 16 kHz; nothing when it is none of the texts."""
        if pcm not in self._heard:  # the same sound is the same words, and half a second of work
            recognised = self._recogniser.recognise(silence(300) + pcm + silence(300))
            self._heard[pcm] = recognised.text
        return self._heard[pcm]

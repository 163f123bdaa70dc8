"""Ten sentences that the shipped script answers, and ten that are none of its business."""

from __future__ import annotations

from typing import Final

ON_SCRIPT: Final = (
    "what time is it",
    "book a table for two",
    "transfer me to a human",
    "what is the weather today",
    "i want to cancel my order",
    "can you repeat that please",
    "my account number is five two seven",
    "please stop talking",
    "how much does it cost",
    "good bye",
)
OFF_SCRIPT: Final = (
    "hello there how are you",
    "how do i get to the station",
    "no thanks i will call later",
    "the quick brown fox jumps over the lazy dog",
    "my sister bought a blue bicycle yesterday",
    "please send the invoice to my office",
    "do you know any good films",
    "it rained for three days in the mountains",
    "i left my umbrella on the train",
    "who won the football match last night",
)

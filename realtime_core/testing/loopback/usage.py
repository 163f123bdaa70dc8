"""What a response costs: token counts in the spelling of each family."""

from __future__ import annotations

from .dialects import DialectFacts
from .frames import Event

__all__ = ["Meter"]


class Meter:
    """
    Counts the tokens of one session; the whole history is input again for every response.

    Args:
        facts: The dialect; it decides rates and key names.
    """

    def __init__(self, facts: DialectFacts) -> None:
        self._facts = facts
        self._text = 0
        self._audio = 0.0
        self._cached = 0

    def heard(self, ms: float, *, by_user: bool = True) -> float:
        """Add audio to the history and return its tokens."""
        # OpenAI: one token per 100 ms of the user, per 50 ms of the assistant.
        # Model Studio: 12.5 tokens a second.
        if not self._facts.openai:
            tokens = ms / 80
        else:
            tokens = ms / 100 if by_user else ms / 50
        self._audio += tokens
        return tokens

    def read(self, text: str) -> int:
        """Add text to the history and return its tokens."""
        tokens = (len(text) + 3) // 4
        self._text += tokens
        return tokens

    def bill(self, *, input_before: tuple[int, float], spoken_ms: float, said: str) -> Event:
        """
        Return the `usage` object of a response and add its output to the history.

        Args:
            input_before: `snapshot()` taken when the response began.
            spoken_ms: Audio produced.
            said: Text and transcripts produced.
        """
        text_in, audio_in = input_before[0], round(input_before[1])
        audio_out = round(self.heard(spoken_ms, by_user=False))
        text_out = self.read(said)
        plural = "token" if self._facts.openai else "tokens"
        inputs: Event = {"text_tokens": text_in, "audio_tokens": audio_in}
        if self._facts.openai:
            cached, self._cached = min(self._cached, text_in + audio_in), text_in + audio_in
            split = min(cached, text_in)
            inputs["cached_tokens"] = cached
            inputs["cached_tokens_details"] = {
                "text_tokens": split,
                "audio_tokens": cached - split,
            }
            if self._facts.ga_events:
                inputs["image_tokens"] = 0
                inputs["cached_tokens_details"]["image_tokens"] = 0
        return {
            "total_tokens": text_in + audio_in + text_out + audio_out,
            "input_tokens": text_in + audio_in,
            "output_tokens": text_out + audio_out,
            f"input_{plural}_details": inputs,
            f"output_{plural}_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }

    def snapshot(self) -> tuple[int, float]:
        """Return `(text, audio)` tokens of the history so far."""
        return self._text, self._audio

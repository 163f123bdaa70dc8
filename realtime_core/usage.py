"""What a reply cost, in the vendor's tokens."""

from __future__ import annotations

from attrs import fields, frozen

__all__ = ["Transcription", "Usage"]


@frozen(kw_only=True)
class Usage:
    """
    Tokens of one reply, or a sum over replies. `None` where the vendor says nothing.

    Input counts the whole conversation so far: realtime vendors read it again for every reply.
    Cached tokens are a part of the input tokens, not an addition. What transcription of the caller
    costs is billed apart and not in here.
    """

    input_tokens: int | None = None
    """All input tokens."""
    output_tokens: int | None = None
    """All output tokens."""
    input_text_tokens: int | None = None
    """Text part of the input."""
    input_audio_tokens: int | None = None
    """Audio part of the input."""
    input_image_tokens: int | None = None
    """Image part of the input."""
    input_cached_tokens: int | None = None
    """Part of the input served from the vendor's cache."""
    output_text_tokens: int | None = None
    """Text part of the output."""
    output_audio_tokens: int | None = None
    """Audio part of the output."""

    def __add__(self, other: Usage) -> Usage:
        """Sum two usages field by field; a field nobody reports stays `None`."""
        total: dict[str, int | None] = {}
        for field in fields(Usage):
            mine: int | None = getattr(self, field.name)
            theirs: int | None = getattr(other, field.name)
            total[field.name] = theirs if mine is None else mine + (theirs or 0)
        return Usage(**total)


@frozen(kw_only=True)
class Transcription:
    """What transcribing the caller cost; billed apart from the replies, by tokens or by time."""

    tokens: int = 0
    """All tokens the vendor reported."""
    seconds: float = 0.0
    """All seconds of audio the vendor reported."""

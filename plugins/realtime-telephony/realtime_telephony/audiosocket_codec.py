"""
The trap of Asterisk's AudioSocket channel driver: the caller's own codec under the label of PCM.

`Dial(AudioSocket/...)` without `c(...)` carries what the phone sends, labelled as PCM at 8 kHz all the same (seen with 22.10;
`chan_audiosocket.c`). The size of a piece raises a doubt, and no more: 20 ms of µ-law have 160 bytes, and so have 10 ms of PCM of a
phone that packs 10 ms; 40 ms of µ-law have as many as 20 ms of PCM. What is in the pieces tells, and how far they are apart.
"""

from __future__ import annotations

from typing import Final, final

from realtime_telephony.audiosocket_frames import Audio

__all__ = ["PACED", "SURE", "CodecWatch"]

SURE: Final = 10
"""So many pieces of audio that are like G.711 end a call."""
PACED: Final = 100
"""Over so many pieces is looked at how far they are apart."""

_LABEL_HZ: Final = 8_000
_BYTES_A_SECOND: Final = 2 * _LABEL_HZ
# No codec has frames of less than 2.5 ms.
_GRAIN_BYTES: Final = _BYTES_A_SECOND // 400
# What Asterisk and nearly all phones pack: 20 and 30 ms.
_USUAL_BYTES: Final = (_BYTES_A_SECOND // 50, _BYTES_A_SECOND * 3 // 100)
_LEAST_BYTES: Final = _BYTES_A_SECOND // 100
# Codes of what is not loud in either law: up to a sixteenth of the full scale, below zero and above.
_BELOW, _ABOVE = bytes(range(0x40, 0x80)), bytes(range(0xC0, 0x100))
_NOT_LOUD: Final = _BELOW + _ABOVE
_LEAST_LEVELS: Final = 8
# Codes of silence. As a constant in PCM they are -1, or far too loud for one.
_SILENT: Final = frozenset({0xFF, 0x7F, 0xD5, 0x55})
_LEAST_APART, _MOST_APART = 1.5, 2.7
_CURE: Final = (
    "add c(slin) or c(slin16) to Dial(AudioSocket/...), as in"
    " Dial(AudioSocket/127.0.0.1:9092/${UUID()}/c(slin16))"
)


@final
class CodecWatch:
    """
    Looks at the audio of one call for another codec under the label of PCM, for as long as the call lasts: a phone may begin with
    silence, which tells little. Of PCM it takes nothing for something else but a constant -1 in pieces of 10 ms; what it takes for PCM
    may be something else for a while.

    Pieces of an unusual size are in doubt as long as the low and the high bytes of their samples are alike.

    In a code of G.711 the top bit is the sign, and the next is 1 unless it is loud. Two of them read as one sample are then
    between -16384 and -1 or above 16383, and go from one to the other without ever passing the gap. In PCM only a square wave
    does, and where that has as many levels as speech has, its low bytes have all values, which those of codes have not.

    µ-law, A-law and G.722 have half the bytes of PCM: their pieces come twice as far apart as they are long, one like the other.
    PCM does not, whatever the phone packs: where we are late it comes in bursts, and where a phone suppresses silence, much later.
    """

    def __init__(self) -> None:
        self.in_doubt: bool = False
        """Whether it is still open what the audio is; at most `SURE` pieces."""
        self._has_begun = False
        self._doubtful = 0
        self._found = 0
        self._pieces = 0
        self._apart = 0
        self._last_at = 0.0

    def take(self, message: Audio, now_s: float) -> str | None:
        """
        Look at one more piece, and say what is wrong once it is sure.

        Args:
            message: The piece.
            now_s: When it came, on a monotonic clock.
        """
        if message.sample_rate_hz != _LABEL_HZ:
            self.in_doubt = False
            return None
        size = len(message.pcm)
        if not self._has_begun:
            self._has_begun = True
            self.in_doubt = all(size % usual for usual in _USUAL_BYTES)
            if size % _GRAIN_BYTES:
                return (
                    f"the first audio is {size} bytes, which is no length of PCM: probably the caller's own codec"
                    f" labelled as PCM; {_CURE}"
                )
        if self.in_doubt:
            self._doubtful += 1
            self.in_doubt = _is_like_codes(message.pcm)
            if self.in_doubt and self._doubtful == SURE:
                return (
                    f"the audio comes in pieces of {size} bytes, where 20 ms of PCM have {_USUAL_BYTES[0]}, and is unlike PCM:"
                    f" it is the caller's own codec labelled as PCM; {_CURE}"
                )
        self._found += _is_g711(message.pcm)
        if self._found >= SURE or self._is_too_slow(message.pcm, now_s):
            return f"the audio is the caller's own codec labelled as PCM: {_CURE}"
        return None

    def _is_too_slow(self, pcm: bytes, now_s: float) -> bool:
        length_s, gap_s = len(pcm) / _BYTES_A_SECOND, now_s - self._last_at
        self._last_at = now_s
        self._pieces += 1
        self._apart += _LEAST_APART * length_s <= gap_s <= _MOST_APART * length_s
        if self._pieces < PACED:
            return False
        is_too_slow = self._apart >= 0.8 * PACED
        self._pieces = self._apart = 0
        return is_too_slow


def _is_like_codes(pcm: bytes) -> bool:
    """Whether low and high bytes of the samples are alike, as two codes are; quiet PCM, whose bytes may be alike too, is not."""
    low, high = pcm[::2], pcm[1::2]
    lows, highs = set(low), set(high)
    # A sample from 0 to 255, or all of them from -256 to -1.
    if 0 in highs or (highs == {0xFF} and lows != highs):
        return False
    if len(lows) == len(highs) == 1:
        return lows == highs and lows < _SILENT
    alike = min(
        len(low) - len(low.translate(None, bytes(highs))),
        len(high) - len(high.translate(None, bytes(lows))),
    )
    return 5 * alike >= 3 * len(high)


def _is_g711(pcm: bytes) -> bool:
    """Whether it cannot be anything else; less than 10 ms is too little to say."""
    if len(pcm) < _LEAST_BYTES or len(pcm.translate(None, _NOT_LOUD)) * 20 > len(pcm):
        return False
    high = pcm[1::2]
    below, above = (len(high) - len(high.translate(None, codes)) for codes in (_BELOW, _ABOVE))
    return 5 * min(below, above) >= len(high) and len(set(high)) >= _LEAST_LEVELS

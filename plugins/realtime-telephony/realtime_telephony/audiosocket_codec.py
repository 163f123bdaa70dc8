"""
The trap of Asterisk's AudioSocket channel driver: the caller's own codec under the label of PCM.

`Dial(AudioSocket/...)` without `c(...)` carries what the phone sends, labelled as PCM at 8 kHz all the same (seen with 22.10;
`chan_audiosocket.c`). 20 ms of µ-law or A-law are then 160 bytes, where PCM has 320, and the first audio shows it. A phone that packs
40 or 60 ms, as with `allow=ulaw:40`, sends 320 or 480 bytes, which are right for 20 and 30 ms of PCM; only what is in them tells.
"""

from __future__ import annotations

from typing import Final, final

from realtime_telephony.audiosocket_frames import Audio

__all__ = ["SURE", "CodecWatch"]

SURE: Final = 10
"""So many pieces of audio that can only be G.711 end a call; no other audio makes a single one."""

_FRAME_MS: Final = 20
# Frames of Asterisk's own pacing: 20 ms, and 30 ms from a phone that packs so.
_PIECES_MS: Final = (20, 30)
_G711_RATE_HZ: Final = 8_000
_FRAME_BYTES: Final = _G711_RATE_HZ * 2 * _FRAME_MS // 1000
# Codes of what is not loud in either law: up to a sixteenth of the full scale, below zero and above.
_BELOW, _ABOVE = bytes(range(0x40, 0x80)), bytes(range(0xC0, 0x100))
_LEAST_LEVELS: Final = 8
_CURE: Final = (
    "add c(slin) or c(slin16) to Dial(AudioSocket/...), as in"
    " Dial(AudioSocket/127.0.0.1:9092/${UUID()}/c(slin16))"
)


@final
class CodecWatch:
    """
    Looks at the audio of one call for G.711 under the label of PCM: at the size of the first piece, then at what is in them, for
    as long as the call lasts, since silence tells nothing.

    In a code of G.711 the top bit is the sign, and the next is 1 unless it is loud. Two of them read as one sample are then
    between -16384 and -1 or above 16383, and go from one to the other without ever passing the gap. In PCM only a square wave
    does, and where that has as many levels as speech has, its low bytes have all values, which those of codes have not.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._found = 0

    def take(self, message: Audio) -> str | None:
        """Look at one more piece, and say what is wrong once it is sure."""
        if not self._has_begun:
            self._has_begun = True
            return _wrong_size(message)
        if message.sample_rate_hz == _G711_RATE_HZ and _is_g711(message.pcm):
            self._found += 1
            if self._found == SURE:
                return f"the audio is the caller's own codec, mu-law or A-law, labelled as PCM: {_CURE}"
        return None


def _wrong_size(message: Audio) -> str | None:
    size, rate = len(message.pcm), message.sample_rate_hz
    if any(size % (rate * 2 * piece // 1000) == 0 for piece in _PIECES_MS):
        return None
    expected = rate * 2 * _FRAME_MS // 1000
    return (
        f"the first audio is {size} bytes where 20 ms of PCM at {rate} Hz are {expected}: probably the caller's own codec"
        f" labelled as PCM; {_CURE}"
    )


def _is_g711(pcm: bytes) -> bool:
    """Whether it cannot be anything else; less than 20 ms is too little to say."""
    if len(pcm) < _FRAME_BYTES or len(pcm.translate(None, _BELOW + _ABOVE)) * 20 > len(pcm):
        return False
    high = pcm[1::2]
    below, above = (len(high) - len(high.translate(None, codes)) for codes in (_BELOW, _ABOVE))
    return 5 * min(below, above) >= len(high) and len(set(high)) >= _LEAST_LEVELS

"""Sentences of a caller, and the replies in a phone's recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from realtime_core.g711 import ulaw_decode
from realtime_local.flite import FliteSynthesiser
from tests.local.listening import HeardReply, ReplyListener
from tests.telephony.real.capture import RtpPacket
from tests.telephony.real.sound import Sound, find, silence

__all__ = [
    "AUDIBLE",
    "heard_replies",
    "loudness",
    "replies_in",
    "resampled",
    "sentence",
    "share_of",
]

VOICE = "rms"
PAUSE_S = 1.0
AROUND_PACKETS = 4
AUDIBLE = 200
"""Louder than what silence is encoded as, softer than any speech, of 32768."""
PACKET_SAMPLES = 160
PIECE_MS = 100
SURE = 0.9


def resampled(sound: Sound, from_hz: int, to_hz: int) -> Sound:
    """Give a sound at another rate."""
    return np.asarray(soxr.resample(sound, from_hz, to_hz), dtype=np.int16)


def sentence(text: str) -> Sound:
    """Say a sentence as a caller would, at 8 kHz; runs a program."""
    flite = FliteSynthesiser()
    pcm = b"".join(flite.speak(text, VOICE))
    return resampled(np.frombuffer(pcm, dtype="<i2").astype(np.int16), flite.sample_rate_hz, 8000)


def share_of(sound: Sound, recording: Sound, rate_hz: int) -> float:
    """Say how much of a sound is in a recording, by pieces: a machine that stalls may tear it, which a caller understands too."""
    size = rate_hz * PIECE_MS // 1000
    pieces = [sound[at : at + size] for at in range(0, len(sound) - size + 1, size)]
    return sum(find(piece, recording, rate_hz).score > SURE for piece in pieces) / len(pieces)


def loudness(packet: RtpPacket) -> int:
    """Give the peak of a packet of mu-law."""
    sound = np.frombuffer(ulaw_decode(packet.payload), dtype="<i2").astype(np.int32)
    return int(np.abs(sound).max(initial=0))


def replies_in(recording: Sound, packets: Sequence[RtpPacket]) -> list[Sound]:
    """
    Take a phone's recording apart, where the agent was silent.

    The recording has no time in it: where Asterisk sends nothing, pauses are missing. When each packet came is in the capture.

    Args:
        recording: What the phone wrote, a packet after the other.
        packets: The same packets, mu-law.
    """
    missing = len(packets) - len(recording) // PACKET_SAMPLES
    assert abs(missing) <= AROUND_PACKETS, f"{missing} packets are not in the recording"
    parts: list[list[int]] = []
    for number, packet in enumerate(packets):
        if loudness(packet) < AUDIBLE:
            continue
        if not parts or packet.time_s - packets[parts[-1][-1]].time_s > PAUSE_S:
            parts.append([])
        parts[-1].append(number)
    return [
        recording[
            max(part[0] - AROUND_PACKETS, 0) * PACKET_SAMPLES : (part[-1] + AROUND_PACKETS)
            * PACKET_SAMPLES
        ]
        for part in parts
    ]


def heard_replies(recording: Sound, packets: Sequence[RtpPacket]) -> list[HeardReply]:
    """Recognise what the agent said in a phone's recording; takes a few seconds."""
    listener, quiet = ReplyListener(), silence(0.3, 16000)
    return [
        listener.listen(
            np.concatenate([quiet, resampled(part, 8000, 16000), quiet]).astype("<i2").tobytes()
        )
        for part in replies_in(recording, packets)
    ]

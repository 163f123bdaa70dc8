"""Sentences of a caller, and the replies in a phone's recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from realtime_core.backends.soxr import SoxrResampler
from realtime_core.g711 import ulaw_decode
from realtime_local.flite import FliteSynthesiser
from tests.local.listening import HeardReply, ReplyListener
from tests.telephony.real.capture import RtpPacket
from tests.telephony.real.sound import Sound, silence

__all__ = ["heard_replies", "replies_in", "resampled", "sentence"]

VOICE = "rms"
PAUSE_S = 1.0
AROUND_PACKETS = 4
AUDIBLE = 200
PACKET_SAMPLES = 160


def resampled(sound: Sound, from_hz: int, to_hz: int) -> Sound:
    """Give a sound at another rate."""
    if from_hz == to_hz:
        return sound
    resampler = SoxrResampler(from_hz, to_hz)
    pcm = resampler.process(sound.astype("<i2").tobytes()) + resampler.flush()
    return np.frombuffer(pcm, dtype="<i2").astype(np.int16)


def sentence(text: str) -> Sound:
    """Say a sentence as a caller would, at 8 kHz; runs a program."""
    flite = FliteSynthesiser()
    pcm = b"".join(flite.speak(text, VOICE))
    return resampled(np.frombuffer(pcm, dtype="<i2").astype(np.int16), flite.sample_rate_hz, 8000)


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
        sound = np.frombuffer(ulaw_decode(packet.payload), dtype="<i2")
        if np.abs(sound.astype(np.int32)).max() < AUDIBLE:
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

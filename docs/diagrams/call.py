"""Draws call.svg, the example of the page on `realtime talk`: a made-up call, told to a `Timeline`."""

from __future__ import annotations

import sys
from pathlib import Path

from realtime_core import (
    AssistantAudio,
    AssistantText,
    Event,
    Interrupted,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.picture import draw
from realtime_core.testing.speech import silence, speech_like
from realtime_core.timeline import Timeline

TARGET = Path(__file__).with_suffix(".svg")
CALLER_HZ, HEARD_HZ = 16000, 24000
VENDOR = "local"


def spoken(words: str, rate_hz: int) -> bytes:
    """Sound a little like these words: a swell for each, as long as it is written."""
    return b"".join(
        speech_like(90 + 55 * len(word), rate_hz) + silence(50, rate_hz) for word in words.split()
    )


def ms(pcm: bytes, rate_hz: int) -> int:
    """Give the length of a piece of audio."""
    return len(pcm) * 500 // rate_hz


class Story:
    """A call on its way into a timeline."""

    def __init__(self) -> None:
        self.timeline = Timeline(provider=VENDOR)
        self.now = 0
        self.answer = b""
        """Of the assistant, not heard yet."""
        self.answered_at = 0
        self.events: list[tuple[int, Event]] = []
        self.number = 0

    def pass_(self, duration_ms: int, caller: bytes = b"") -> None:
        """Let time go by."""
        for at in range(0, duration_ms, 20):
            for due, event in sorted(self.events, key=lambda each: each[0]):
                if due <= self.now:
                    self.timeline.take(event, self.now)
            self.events = [each for each in self.events if each[0] > self.now]
            self.timeline.caller(caller[at * 32 : (at + 20) * 32].ljust(640, b"\0"), self.now)
            self.timeline.heard(self.answer[:960].ljust(960, b"\0"), self.now)
            self.answer = self.answer[960:]
            self.now += 20

    def ask(self, words: str, *, interrupts: bool = False) -> None:
        """Let the caller say something; it is noticed 160 ms late, and its end 500 ms late."""
        self.number += 1
        item, pcm = f"u{self.number}", spoken(words, CALLER_HZ)
        started = UserSpeechStarted(vendor=VENDOR, item_id=item, interrupts=interrupts)
        self.events.append((self.now + 160, started))
        self.pass_(160, pcm)
        if interrupts:
            lost_ms, self.answer = ms(self.answer, HEARD_HZ), b""
            heard_ms = self.now - self.answered_at
            cut = Interrupted(vendor=VENDOR, heard_ms=heard_ms, cut_ms=lost_ms, truncated=True)
            self.events.append((self.now + 20, cut))
        rest = pcm[160 * 32 :]
        self.pass_(ms(rest, CALLER_HZ), rest)
        self.pass_(500)
        self.events.append((self.now, UserSpeechEnded(vendor=VENDOR, item_id=item)))
        said = UserTranscript(vendor=VENDOR, item_id=item, text=words, final=True)
        self.events.append((self.now + 60, said))

    def reply(self, words: str, after_ms: int) -> None:
        """Let the assistant answer, some ms after the end of speech was noticed."""
        item, pcm = f"a{self.number}", spoken(words, HEARD_HZ)
        self.pass_(after_ms)
        audio = AssistantAudio(vendor=VENDOR, audio=pcm, item_id=item, response_id=item)
        text = AssistantText(vendor=VENDOR, text=words, final=True, item_id=item)
        self.events += [(self.now, audio), (self.now, text)]
        self.answer, self.answered_at = pcm, self.now

    def call_tool(self, name: str, arguments: dict[str, object], answer: str) -> None:
        """Let the model call a tool."""
        call = ToolCall(vendor=VENDOR, call_id=name, name=name, arguments=arguments)
        self.timeline.take(call, self.now + 120)
        self.timeline.answered(name, arguments, answer, self.now + 160)


def story() -> Timeline:
    """Tell the call."""
    call = Story()
    call.pass_(400)
    call.ask("I would like a table for four on Friday.")
    call.call_tool("book_table", {"people": 4, "day": "Friday"}, '{"table": 12}')
    call.reply("Your table for four is booked. Please note that our kitchen closes at ten.", 280)
    call.pass_(2100)
    call.ask("Is there parking?", interrupts=True)
    call.reply("Yes, right behind the house.", 120)
    call.pass_(3200)
    call.timeline.conclude("completed")
    return call.timeline


if __name__ == "__main__":
    TARGET.write_text(draw(story()), "utf-8")
    sys.stdout.write(f"{TARGET.stat().st_size} bytes\n")

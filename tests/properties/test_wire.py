"""Any interleaving of commands, vendor events, delays and losses keeps the rules, on the bare wire of every dialect."""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from realtime_core import Options
from tests.properties.cases import Case, WatchedWire, groups, named
from tests.properties.conversation import Conversation, Session
from tests.properties.profiles import PROFILE, in_time


class WireSession:
    """The wire, driven without a loop."""

    def __init__(self, case: Case, options: Options) -> None:
        self.wire = WatchedWire(case, options)
        self.now = 1000.0
        self._sent: list[bytes] = []

    def _beat(self) -> None:
        self._sent += self.wire.take_frames()
        while self.wire.take_effects():
            pass

    def take_sent(self) -> list[bytes]:
        sent, self._sent = self._sent, []
        return sent

    def open(self) -> None:
        self.wire.open(self.now)
        self._beat()

    def push(self, ms: int) -> None:
        self._sent.append(self.wire.audio_frame(bytes(ms * self.wire.input_rate_hz // 1000 * 2)))

    def commit(self) -> None:
        self.wire.commit_input_audio(self.now)
        self._beat()

    def clear(self) -> None:
        self.wire.clear_input_audio(self.now)
        self._beat()

    def create(self, instructions: str | None) -> None:
        self.wire.create_response(instructions, self.now)
        self._beat()

    def text(self, *, respond: bool) -> None:
        self.wire.send_text("hello", respond, self.now)
        self._beat()

    def cancel(self, played_ms: int | None) -> None:
        self.wire.cancel(played_ms, self.now)
        self._beat()

    def update(self) -> None:
        self.wire.update_instructions("Be brief.", self.now)
        self._beat()

    def answer(self, call_id: str) -> None:
        self.wire.send_tool_result(call_id, "sunny", self.now)
        self._beat()

    def report(self, item_id: str, played_ms: int, *, final: bool) -> None:
        self.wire.report_playback(item_id, played_ms, final, self.now)
        self._beat()

    def feed(self, frame: bytes) -> None:
        self.wire.receive(frame, self.now)
        self._beat()

    def lose(self, code: int) -> None:
        self.wire.receive_eof(code, "gone", self.now)
        # Nobody is there to read what is still written.
        self.wire.take_frames()
        self._beat()

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.wire.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.wire.on_timer(self.now)
            self._beat()
            after = self.wire.deadline()
            assert after is None or after > self.now, "still due: a busy loop"
        self.now = until

    def close(self) -> None:
        self.wire.close(self.now)
        self._beat()

    def finish(self) -> None:
        self.close()

    def dispose(self) -> None:
        pass


class WireConversation(Conversation):
    def make_session(self, options: Options) -> Session:
        return WireSession(self.case, options)


@in_time
@pytest.mark.parametrize("cases", groups(), ids=named)
def test_every_interleaving_keeps_the_rules_on_the_wire(cases: tuple[Case, ...]) -> None:
    run_state_machine_as_test(WireConversation.over(cases), settings=PROFILE)

"""A vendor without a socket whose queue moves with a clock moved by hand: what is measured on it is exact."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from realtime_core.testing import ManualClock
from realtime_telephony.media_dialect import detect
from realtime_telephony.media_frames import read_start
from realtime_telephony.media_socket import MediaSocket, SocketEnd
from realtime_telephony.media_stream import MediaStreamLeg
from tests.telephony.fakes.media import FakeVendor

__all__ = ["ByHand"]

_STEP_S = 0.005


class _Socket:
    """Stands in for `MediaSocket`."""

    response = None
    congested = False

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.coming: asyncio.Queue[str | SocketEnd] = asyncio.Queue()

    def send(self, text: bytes) -> None:
        self.sent.append(text)

    async def receive(self) -> str | SocketEnd:
        return await self.coming.get()

    async def close(self, code: int = 1000) -> None:
        pass


class ByHand:
    """
    A call of a vendor's; what the fake takes for a violation is raised.

    Args:
        kind: Which vendor.
        delay_s: How long what it says is on its way to us.
    """

    def __init__(self, kind: type[FakeVendor], delay_s: float = 0.0) -> None:
        hand = self

        class Vendor(kind):  # type: ignore[misc, valid-type]
            async def send(self, message: dict[str, Any] | str | bytes) -> None:
                hand._say(cast("dict[str, Any]", message))

            async def drop_queue(self) -> list[str]:
                self.heard_at_clear.append(self.heard_samples)
                marks = [item for item in self._queue if isinstance(item, str)]
                self._queue.clear()
                return marks

        self.clock = ManualClock(100.0)
        self.vendor: FakeVendor = Vendor()
        self._delay_s = delay_s
        self._socket = _Socket()
        message = cast("Any", self.vendor).start()
        dialect = detect(message)
        assert dialect is not None
        started = read_start(dialect, message)
        self.leg = MediaStreamLeg(cast("MediaSocket", self._socket), started, clock=self.clock)

    @property
    def messages(self) -> list[str]:
        """Names of the events we sent, in order."""
        return [message["event"] for message in self.vendor.received]

    def _say(self, message: dict[str, Any]) -> None:
        text = json.dumps(message)
        self.clock.call_at(
            self.clock.now() + self._delay_s, lambda: self._socket.coming.put_nowait(text)
        )

    async def settle(self) -> None:
        """Let both sides take what has arrived."""
        for _ in range(5):
            while self._socket.sent:
                message = json.loads(self._socket.sent.pop(0))
                self.vendor.received.append(message)
                await self.vendor.take(message)
            await self._answer_marks()
            self.clock.advance(0)
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let time go by: the vendor plays, and answers what it has reached."""
        await self.settle()
        for _ in range(round(seconds / _STEP_S)):
            self.clock.advance(_STEP_S)
            samples = round(_STEP_S * self.vendor.rate_hz)
            queue = self.vendor._queue
            while samples and queue:
                audio = queue.popleft()
                assert isinstance(audio, bytes)
                self.vendor.heard += audio[: 2 * samples]
                if len(audio) > 2 * samples:
                    queue.appendleft(audio[2 * samples :])
                samples -= min(samples, len(audio) // 2)
                await self._answer_marks()
            await self.settle()

    async def _answer_marks(self) -> None:
        queue = self.vendor._queue
        while queue and isinstance(queue[0], str):
            await self.vendor.answer_mark(cast("str", queue.popleft()))

    async def close(self) -> None:
        """End the call."""
        await self.leg.close()

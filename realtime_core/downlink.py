"""The assistant's audio on its way to the application."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field

from realtime_core.audio import Resampler
from realtime_core.events import AssistantAudio
from realtime_core.wire import AudioDelta, AudioEnd

__all__ = ["Downlink"]

_SPOKEN_REMEMBERED = 16


@define
class Downlink:
    """
    Turns audio at the wire's rate into `AssistantAudio` at the application's.

    Args:
        vendor: Slug for events.
        deliver: Takes each event.
        resampler: One stream for the direction, or `None` where the rates are equal.
    """

    vendor: str
    deliver: Callable[[AssistantAudio], None]
    resampler: Resampler | None = None
    _holds: tuple[str | None, str | None] | None = None
    """Item and reply whose rest the resampler still holds."""
    _spoken: deque[str | None] = field(factory=lambda: deque[str | None](maxlen=_SPOKEN_REMEMBERED))
    """Replies whose audio was delivered since the last cut, the newest last."""

    def delta(self, delta: AudioDelta) -> None:
        """Deliver a piece."""
        pcm = delta.pcm
        if self.resampler is not None:
            belongs = (delta.item_id, delta.response_id)
            if self._holds is not None and self._holds != belongs:
                self._finish(*self._holds, same_reply=self._holds[1] == delta.response_id)
            self._holds = belongs
            pcm = self.resampler.process(pcm)
        self._deliver(pcm, delta.item_id, delta.response_id, delta.raw)

    def end(self, end: AudioEnd) -> None:
        """Deliver what the resampler still holds of an item."""
        if self.resampler is not None and self._holds is not None:
            self._finish(*self._holds, same_reply=self._holds[1] == end.response_id)

    def clear(self) -> list[str | None]:
        """
        Forget it: the reply was cut.

        Returns:
            Replies whose audio was delivered since the last cut.
        """
        self._holds = None
        if self.resampler is not None:
            self.resampler.clear()
        spoken = list(self._spoken)
        self._spoken.clear()
        return spoken

    def _finish(self, item_id: str | None, response_id: str | None, *, same_reply: bool) -> None:
        """Deliver the rest of an item; that of a reply which has ended meanwhile is forgotten."""
        if self.resampler is None:
            return
        rest = self.resampler.flush()
        self._holds = None
        if same_reply:
            self._deliver(rest, item_id, response_id, None)

    def _deliver(
        self, pcm: bytes, item_id: str | None, response_id: str | None, raw: str | None
    ) -> None:
        if pcm:
            spoken = self._spoken
            if not spoken or spoken[-1] != response_id:
                spoken.append(response_id)
            self.deliver(
                AssistantAudio(
                    vendor=self.vendor,
                    audio=pcm,
                    item_id=item_id,
                    response_id=response_id,
                    raw=raw,
                )
            )

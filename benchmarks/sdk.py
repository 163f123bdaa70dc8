"""The SDK, used as its documentation says: a credential, options, a callback."""

from __future__ import annotations

from benchmarks.workload import Arrivals, Scenario
from realtime_core import AssistantAudio, Event, Options, new_agent_from_credential

__all__ = ["SdkCaller"]


class SdkCaller:
    """
    One agent.

    Args:
        url: Where the vendor is.
        scenario: The caller's rates.
        arrivals: Takes the audio deltas.
    """

    def __init__(self, url: str, scenario: Scenario, arrivals: Arrivals) -> None:
        self._note = arrivals.note
        options = Options(
            input_sample_rate=scenario.input_hz,
            output_sample_rate=scenario.output_hz,
            on_event=self._on_event,
        )
        credential = {"provider": "openai", "apiKey": "benchmark", "baseUrl": url}
        self._agent = new_agent_from_credential(credential, options)
        self.start = self._agent.start
        self.push = self._agent.push_audio
        self.close = self._agent.close

    def _on_event(self, event: Event) -> None:
        if type(event) is AssistantAudio:
            self._note(event.item_id or "", event.audio)

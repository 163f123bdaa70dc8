"""A vendor of the OpenAI-wire family as a frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import field, frozen

from realtime_core.capabilities import Capabilities
from realtime_core.g711 import Companding
from realtime_core.wire.error_table import ErrorTable

__all__ = ["Dialect", "ServerFrame", "VadRules"]

ServerFrame = dict[str, Any]
"""A parsed frame of the vendor's; nothing in it is certain but that it is an object."""


@frozen(kw_only=True)
class VadRules:
    """How turn detection is written, and our defaults, which are always sent."""

    threshold: float
    """Default sensitivity on the vendor's scale."""
    threshold_range: tuple[float, float]
    """What the vendor accepts."""
    prefix_padding_ms: int
    """Default."""
    silence_ms: int
    """Default."""
    silence_range_ms: tuple[int, int] | None = None
    """What the vendor accepts, where it says."""
    idle_timeout_range_ms: tuple[int, int] | None = None
    """What the vendor accepts; `None` where it has no idle timeout."""
    server_type: str = "server_vad"
    """Name of the level-based detector."""
    semantic_type: str | None = None
    """Name of the detector that judges meaning; `None` where there is none."""
    eagerness: bool = False
    """Whether the semantic detector takes an eagerness."""
    flags: Literal["always", "when_false"] = "always"
    """Whether `create_response` and `interrupt_response` are sent also when they say the default."""


@frozen(kw_only=True)
class Dialect:
    """
    Everything in which one server of the family differs from another.

    `paths` says where each setting stands in the session object. A setting without a path is one the vendor
    does not have: it is left out, and `temperature` with a warning.
    """

    name: str
    """For logs and documentation."""
    paths: Mapping[str, tuple[str, ...]]
    """Path by setting: `modalities`, `instructions`, `voice`, `input_format`, `output_format`, `transcription`,
    `turn_detection`, `tools`, `temperature`."""
    fixed: Mapping[str, Any] = field(factory=dict)
    """Put into every session object, also into later updates."""
    input_format: Any
    """The vendor's word for the audio we send."""
    output_format: Any
    """The vendor's word for the audio it sends."""
    input_rate_hz: int
    """Rate of the audio we send."""
    output_rate_hz: int
    """Rate of the audio it sends, unless its answer names another."""
    modalities: Mapping[Literal["audio", "text"], tuple[str, ...]]
    """How spoken and written replies are asked for."""
    vad: VadRules
    """Turn detection."""
    tool_style: Literal["flat", "nested"]
    """Shape of tools, see `tools_for_session`."""
    errors: ErrorTable
    """What errors and close codes mean."""
    capabilities: Capabilities
    """What the vendor can do."""
    temperature_range: tuple[float, float] | None = None
    """Range to clamp to, where the vendor has a temperature."""
    partial_transcripts: Literal["append", "replace"] = "append"
    """Whether partial transcripts of the caller are fragments or the whole so far."""
    acknowledges_updates: bool = True
    """Whether `session.updated` can be relied on; if not, the session opens after `acknowledge_within_s`."""
    acknowledge_within_s: float = 5.0
    """See `acknowledges_updates`."""
    correlates: bool = False
    """Whether a reply carries the metadata of the request it answers."""
    companding: Companding | None = None
    """G.711 law of the wire's audio, both ways; `None` is PCM16LE."""
    cancels_by_id: bool = True
    """Whether `response.cancel` names its reply."""
    drops_duplicates: bool = False
    """Whether the vendor may send an event twice, to be told by its `event_id`."""
    minimum_commit_ms: int = 100
    """Less audio than this cannot be committed."""
    translate: Callable[[ServerFrame], ServerFrame | None] | None = None
    """Rewrites an odd frame into the family's, or drops it by returning `None`."""

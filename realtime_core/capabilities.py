"""What a provider can do, as data."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Capabilities"]


@frozen(kw_only=True)
class Capabilities:
    """
    Facts about one provider with one model and one configuration.

    A difference between vendors is one of these flags, never a test for the vendor's name. A command that
    a flag rules out raises `UnsupportedError` before anything is sent.
    """

    server_vad: bool = True
    """The vendor detects the caller's turns by sound level."""
    semantic_vad: bool = False
    """The vendor can also judge by meaning whether the caller is done."""
    manual_turns: bool = True
    """`Options.disable_server_vad` works: the application ends turns by `Agent.commit_input_audio`."""
    truncation: bool = False
    """The vendor can be told how much of a reply was heard; without it the model believes it said all."""
    cancel: bool = True
    """A running reply can be cancelled."""
    tools: bool = False
    """The model can call tools."""
    text_input: bool = False
    """`Agent.send_text` works."""
    image_input: bool = False
    """The model sees images."""
    greeting: bool = True
    """The model can speak first, by `Agent.create_response`."""
    live_instructions: bool = True
    """`Agent.update_instructions` works in a running session."""
    full_duplex: bool = False
    """The model listens while it speaks, without turns."""
    speech_events: bool = True
    """The vendor reports when the caller starts and stops speaking."""
    max_session_s: float | None = None
    """The vendor ends a session after this many seconds; `None` where no limit is documented."""
    input_wire_rate_hz: int | None = None
    """Sample rate the wire takes, in Hz; audio at `Options.input_sample_rate` is resampled to it."""
    output_wire_rate_hz: int | None = None
    """Sample rate the wire delivers, in Hz, before resampling to `Options.output_sample_rate`."""

"""Joins a call leg and an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import attrs

from realtime_core.agent import Agent
from realtime_core.clock import Clock, LoopClock
from realtime_core.errors import ConfigError
from realtime_core.events import Event
from realtime_core.options import Options
from realtime_telephony.bridge import CLOSE_LIMIT_S, Bridge
from realtime_telephony.call_control import CallControl
from realtime_telephony.call_report import CallReport
from realtime_telephony.fallback import fallback_audio
from realtime_telephony.keepsake import Keepsake
from realtime_telephony.leg import CallLeg, DigitPressed
from realtime_telephony.making import Making
from realtime_telephony.tidying import end_each, to_the_end

__all__ = ["FALLBACK_LIMIT_S", "attach", "options_for"]

FALLBACK_LIMIT_S = 5.0
"""How long reading the fallback may take, in seconds."""

_attached: set[int] = set()
"""Ids of the agents and legs that are in a call; the calls keep them alive."""


def options_for(leg: CallLeg, options: Options | None = None) -> Options:
    """
    Set the leg's sample rate for both directions, so that nothing is resampled between leg and agent.

    Args:
        leg: The call.
        options: What the application asks for otherwise.
    """
    rate = leg.sample_rate_hz
    return attrs.evolve(options or Options(), input_sample_rate=rate, output_sample_rate=rate)


async def attach(
    agent: Agent,
    leg: CallLeg,
    *,
    control: CallControl | None = None,
    greeting: str | None = None,
    on_event: Callable[[Event | DigitPressed], None] | None = None,
    fallback: Path | None = None,
    record: Path | None = None,
    picture: Path | None = None,
    clock: Clock | None = None,
) -> CallReport:
    """
    Let a caller and an agent talk until one of them ends it.

    The caller's audio goes to the agent, with silence where nothing comes; the agent's audio goes to the caller at the pace
    of the leg. When the caller cuts in, or somebody calls `Agent.cancel`, the leg is flushed at once and the agent is told
    what was really heard. When the agent fails, or a transfer does, the caller hears the fallback and the call is hung up.

    Starts the agent, reads its events, and closes agent and leg in any case. Cancelling it hangs up.

    Args:
        agent: Made with `options_for` this leg, without `Options.on_event`, and not started.
        leg: The call, answered.
        control: Whose tools are among the agent's; the model may then end or transfer the call.
        greeting: Instructions for the first words, `""` for the agent's usual ones; `None`: the caller speaks first.
        on_event: Told of every event of the agent and of every digit, in order, on the session's loop; plain and fast, like
            `Options.on_event`. What it raises is logged.
        fallback: WAV (16-bit PCM, mono) played when the agent fails; `None` is an apology in English.
        record: Write the call as stereo WAV: the caller left, what was sent to them right.
        picture: Draw the call as SVG when it is over.
        clock: Monotonic; `None` is the event loop's.

    Returns:
        How it went; failures of agent and leg are told there and never raised.

    Raises:
        ConfigError: The agent's rates are not the leg's, it has an `on_event` of its own or waits when its queue is full; agent,
            leg or control is in another call, or a file cannot be used. Neither agent nor leg was touched.
    """
    rate = leg.sample_rate_hz
    have = (agent.options.input_sample_rate, agent.options.output_sample_rate)
    if have != (rate, rate):
        raise ConfigError(
            f"attach: expected an agent at {rate} Hz both ways, got {have[0]} Hz in and {have[1]} Hz out; "
            "make it with options_for(leg, options)"
        )
    if agent.options.on_event is not None:
        raise ConfigError("attach: expected an agent without Options.on_event; give on_event here")
    if agent.options.when_full == "wait":
        raise ConfigError(
            "attach: expected an agent with Options.when_full 'drop_oldest': one that waits for its vendor hears nothing of a "
            "caller who hangs up"
        )
    clock = clock if clock is not None else LoopClock()
    with _in_use(agent, leg), nullcontext() if control is None else control.in_use():
        keepsake = Keepsake(agent, rate, record=record, picture=picture, clock=clock)
        try:
            apology = await _read_fallback(fallback, rate)
            await keepsake.open()
        except asyncio.CancelledError:
            await to_the_end(
                end_each(
                    leg.info.logged_id, leg.hang_up, agent.close, leg.close, limit_s=CLOSE_LIMIT_S
                )
            )
            raise
        bridge = Bridge(
            agent,
            leg,
            control=control,
            greeting=greeting,
            on_event=on_event,
            fallback=apology,
            keepsake=keepsake,
            clock=clock,
        )
        try:
            report = await bridge.run()
            keepsake.conclude(report.detail, failed=report.ended_by == "failure")
            return report
        finally:
            await to_the_end(keepsake.finish())


@contextmanager
def _in_use(agent: Agent, leg: CallLeg) -> Iterator[None]:
    """Keep both for one call: a second reader of a leg would take its end from the first, a second owner close the agent."""
    for what, each in (("agent", agent), ("leg", leg)):
        if id(each) in _attached:
            raise ConfigError(f"attach: this {what} is in another call; each call has its own")
    ours = {id(agent), id(leg)}
    _attached.update(ours)
    try:
        yield
    finally:
        _attached.difference_update(ours)


async def _read_fallback(path: Path | None, rate_hz: int) -> bytes:
    try:
        return await Making(1).run(lambda: fallback_audio(path, rate_hz), FALLBACK_LIMIT_S)
    except TimeoutError:
        raise ConfigError(
            f"fallback: {path or 'the shipped apology'} could not be read within {FALLBACK_LIMIT_S:g} s"
        ) from None

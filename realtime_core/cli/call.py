"""`realtime talk` behind its options: who talks to whom, what is shown, what is kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from attrs import field, frozen
from rich.console import Console

from realtime_core.cli.conversation import Conversation, Outcome
from realtime_core.cli.dialogue import PATIENCE_MS, Dialogue
from realtime_core.cli.event_log import CallFile, EventLog, ReplyFile, Sink
from realtime_core.cli.handset import Handset, HandsetError, Player
from realtime_core.cli.levels import loudest_dbfs
from realtime_core.cli.live import LiveView
from realtime_core.cli.mic import ECHO_CAVEAT, SoundCard
from realtime_core.cli.notes import warnings_shown
from realtime_core.cli.partner import Partner
from realtime_core.cli.summary import summary_rows, summary_table
from realtime_core.cli.toolbox import Toolbox
from realtime_core.cli.verdict import Verdict, judge
from realtime_core.cli.view import PlainView, View, say
from realtime_core.cli.wav import Recording
from realtime_core.errors import RealtimeError
from realtime_core.factory import new_agent_from_credential
from realtime_core.options import Options
from realtime_core.picture import draw
from realtime_core.timeline import Timeline

__all__ = ["Call", "Targets"]

_FAINT_DBFS = -45.0


@frozen(kw_only=True)
class Targets:
    """The files a call leaves behind."""

    out: Path | None = None
    """The reply's."""
    events: Path | None = None
    """The events'."""
    record: Path | None = None
    """Both sides', in stereo."""
    plot: Path | None = None
    """The picture's."""

    def __iter__(self) -> Iterator[Path]:
        """Go through those that are wanted."""
        return iter([p for p in (self.out, self.events, self.record, self.plot) if p is not None])


@frozen(kw_only=True)
class Call:
    """A caller, on the way to somebody."""

    recordings: Sequence[Recording]
    """What the caller says, all at the rate they are pushed with; none with a microphone."""
    interrupts: Mapping[int, float] = field(factory=dict)
    """By the number of a recording, from 0: how long the answer before it is listened to, in ms."""
    partner: Partner
    """Who answers."""
    instructions: str
    """The application's."""
    voice: str | None
    """By the vendor's name."""
    toolbox: Toolbox
    """What the model may call."""
    input_rate_hz: int
    """Of the caller."""
    output_rate_hz: int
    """Of the reply."""
    targets: Targets
    """What is kept."""
    pace: float
    """Times real time."""
    timeout_s: float | None
    """Bound of the whole."""
    plain: bool
    """Lines even on a terminal."""

    @property
    def _is_live(self) -> bool:
        return not self.recordings

    def place(self) -> int:
        """
        Talk, show it, and sum it up.

        Returns:
            The exit code.

        Raises:
            click.UsageError: The credential or an option does not suit the provider, or there is no microphone.
        """
        console = Console()
        timeline = Timeline(
            provider=self.partner.title,
            caller_rate_hz=self.input_rate_hz,
            heard_rate_hz=self.output_rate_hz,
        )
        try:
            outcome = asyncio.run(self._talk(console, timeline))
        except HandsetError as error:
            raise click.UsageError(str(error)) from error
        verdict = judge(outcome, self.timeout_s, is_live=self._is_live)
        lost = [outcome.lost] if outcome.lost is not None else []
        if self.targets.plot is not None:
            told, failed = self._told(timeline, outcome, verdict)
            timeline.conclude(told, failed=failed)
            try:
                self.targets.plot.write_text(draw(timeline), "utf-8")
            except OSError as error:
                lost.append(self.targets.plot)
                if verdict.exit_code != 1:
                    verdict = Verdict(1, f"cannot write {self.targets.plot}: {error.strerror}")
        if outcome.opened:
            rows = summary_rows(
                outcome,
                partner=self.partner.title,
                files=[file for file in self.targets if file not in lost],
                barge_ins=timeline.barge_ins,
                waits_ms=[latency.ms for latency in timeline.latencies],
            )
            if self._draws(console):
                console.print(summary_table(rows))
            else:
                say("\n" + "\n".join(f"{name:<30} {value}" for name, value in rows.items()))
        if verdict.problem:
            say(f"{'error' if verdict.exit_code else 'note'}: {verdict.problem}", err=True)
        return verdict.exit_code

    @staticmethod
    def _told(timeline: Timeline, outcome: Outcome, verdict: Verdict) -> tuple[str, bool]:
        """Give what the picture says of the end, and whether it is a failure; an error without a mark gets one."""
        progress, failed = outcome.progress, verdict.exit_code == 1
        is_marked = progress.fatal is not None or (progress.statuses and progress.error is not None)
        if failed and (outcome.failed is not None or not is_marked):
            timeline.fail(verdict.problem, timeline.duration_ms)
        return "ended by Ctrl-C" if outcome.interrupted else verdict.problem or "completed", failed

    def _introduce(self) -> None:
        for hint in self.partner.hints:
            say(hint)
        if self._is_live:
            say(f"The microphone goes to {self.partner.name}; Ctrl-C ends the call.")
            say(ECHO_CAVEAT)
        for number, recording in enumerate(self.recordings):
            mixed = ", mixed from stereo" if recording.channels == 2 else ""
            goes = f", goes to {self.partner.name}" if number == 0 else ""
            say(
                f"{recording.name}, {recording.duration_s:.1f} s at {recording.rate_hz} Hz{mixed}{goes}"
            )
            loudest = loudest_dbfs(recording.pcm, recording.rate_hz)
            if loudest < _FAINT_DBFS:
                what = "the recording" if len(self.recordings) == 1 else recording.name
                say(
                    f"warning: {what} is very quiet (at most {loudest:.0f} dBFS); "
                    "a vendor may hear no speech in it",
                    err=True,
                )

    def _draws(self, console: Console) -> bool:
        # FORCE_COLOR, as a CI sets it, makes a file a terminal to rich; what redraws itself has no place there.
        is_screen = console.file.isatty() or os.environ.get("TTY_COMPATIBLE") == "1"
        return is_screen and console.is_interactive and not self.plain

    def _view(self, console: Console) -> View:
        if not self._draws(console):
            return PlainView(self.output_rate_hz)
        lengths_s = [recording.duration_s for recording in self.recordings]
        return LiveView(
            console,
            title=self.partner.title,
            recording_s=None if self._is_live else sum(lengths_s),
            rate_hz=self.output_rate_hz,
        )

    def _sinks(self) -> list[Sink]:
        targets, sinks = self.targets, list[Sink]()
        if targets.events is not None:
            sinks.append(EventLog(targets.events, self.output_rate_hz))
        if targets.out is not None:
            sinks.append(ReplyFile(targets.out, self.output_rate_hz))
        if targets.record is not None:
            sinks.append(CallFile(targets.record, self.input_rate_hz, self.output_rate_hz))
        return sinks

    def _handset(self, stack: ExitStack) -> Handset:
        if self._is_live:
            return stack.enter_context(SoundCard(self.input_rate_hz, self.output_rate_hz))
        dialogue = Dialogue(
            self.recordings, interrupts=self.interrupts, patience_ms=PATIENCE_MS * self.pace
        )
        return Player(dialogue, self.pace)

    async def _talk(self, console: Console, timeline: Timeline) -> Outcome:
        view = self._view(console)
        with ExitStack() as stack:
            conversation = Conversation(
                handset=self._handset(stack),
                view=view,
                sinks=self._sinks(),
                timeline=timeline,
                pace=self.pace,
                timeout_s=self.timeout_s,
                titles=[recording.name for recording in self.recordings],
                toolbox=self.toolbox,
            )
            options = Options(
                system_prompt=self.instructions,
                voice=self.voice,
                input_sample_rate=self.input_rate_hz,
                output_sample_rate=self.output_rate_hz,
                on_event=conversation.on_event,
                tools=self.toolbox.tools,
                tool_handler=self.toolbox.handler,
                # At the pace of speech a slow connection drops audio, as in a call; a faster pace is our own doing.
                when_full="wait" if self.pace > 1 else "drop_oldest",
            )
            stack.enter_context(warnings_shown(view.note))
            async with self.partner.connected(self.pace) as credential:
                try:
                    agent = new_agent_from_credential(credential, options)
                except RealtimeError as error:
                    raise click.UsageError(str(error)) from error
                self._introduce()
                with view:
                    return await conversation.run(agent)

"""`realtime talk` behind its options: who talks to whom, what is shown, what is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from attrs import frozen
from rich.console import Console

from realtime_core.cli.conversation import Conversation, Outcome
from realtime_core.cli.event_log import EventLog, ReplyFile, Sink
from realtime_core.cli.levels import loudest_dbfs
from realtime_core.cli.live import LiveView
from realtime_core.cli.notes import warnings_shown
from realtime_core.cli.partner import Partner
from realtime_core.cli.summary import summary_rows, summary_table
from realtime_core.cli.verdict import judge
from realtime_core.cli.view import PlainView, View
from realtime_core.cli.wav import Recording
from realtime_core.errors import RealtimeError
from realtime_core.factory import new_agent_from_credential
from realtime_core.options import Options

__all__ = ["Call"]

_FAINT_DBFS = -45.0


@frozen(kw_only=True)
class Call:
    """A recording, on its way to somebody."""

    recording: Recording
    """At the rate it is pushed with."""
    partner: Partner
    """Who answers."""
    instructions: str
    """The application's."""
    voice: str | None
    """By the vendor's name."""
    output_rate_hz: int
    """Of the reply."""
    out: Path | None
    """The reply's file."""
    events: Path | None
    """The events' file."""
    pace: float
    """Times real time."""
    timeout_s: float
    """Bound of the whole."""
    plain: bool
    """Lines even on a terminal."""

    def place(self) -> int:
        """
        Talk, show it, and sum it up.

        Returns:
            The exit code.

        Raises:
            click.UsageError: The credential or an option does not suit the provider.
        """
        console = Console()
        outcome = asyncio.run(self._talk(self._view(console)))
        files = [path for path in (self.out, self.events) if path and not outcome.write_error]
        if outcome.opened:
            rows = summary_rows(outcome, partner=self.partner.title, files=files)
            if self._is_live(console):
                console.print(summary_table(rows))
            else:
                click.echo("\n" + "\n".join(f"{name:<30} {value}" for name, value in rows.items()))
        verdict = judge(outcome, self.timeout_s)
        if verdict.problem:
            click.echo(f"{'error' if verdict.exit_code else 'note'}: {verdict.problem}", err=True)
        return verdict.exit_code

    def _introduce(self) -> None:
        recording = self.recording
        if self.partner.dialect is not None:
            click.echo(
                "No vendor is contacted: the loopback vendor, on this machine, answers with what it heard."
            )
            key = self.partner.key_variable
            where = f"in {key} or in --credential" if key else "in --credential"
            click.echo(f"For a real one: --provider {self.partner.provider}, its key {where}.")
        mixed = ", mixed from stereo" if recording.channels == 2 else ""
        click.echo(
            f"{recording.name}, {recording.duration_s:.1f} s at {recording.rate_hz} Hz{mixed}, "
            f"goes to {self.partner.name}"
        )
        loudest = loudest_dbfs(recording.pcm, recording.rate_hz)
        if loudest < _FAINT_DBFS:
            click.echo(
                f"warning: the recording is very quiet (at most {loudest:.0f} dBFS); "
                "a vendor may hear no speech in it",
                err=True,
            )

    def _is_live(self, console: Console) -> bool:
        return console.is_terminal and not console.is_dumb_terminal and not self.plain

    def _view(self, console: Console) -> View:
        if not self._is_live(console):
            return PlainView(self.output_rate_hz)
        return LiveView(
            console,
            title=self.partner.title,
            recording_s=self.recording.duration_s,
            rate_hz=self.output_rate_hz,
        )

    async def _talk(self, view: View) -> Outcome:
        sinks: list[Sink] = []
        if self.events is not None:
            sinks.append(EventLog(self.events, self.output_rate_hz))
        if self.out is not None:
            sinks.append(ReplyFile(self.out, self.output_rate_hz))
        conversation = Conversation(
            recording=self.recording,
            view=view,
            sinks=sinks,
            pace=self.pace,
            timeout_s=self.timeout_s,
        )
        options = Options(
            system_prompt=self.instructions,
            voice=self.voice,
            input_sample_rate=self.recording.rate_hz,
            output_sample_rate=self.output_rate_hz,
            on_event=conversation.on_event,
            # At the pace of speech a slow connection drops audio, as in a call; a faster pace is our own doing.
            when_full="wait" if self.pace > 1 else "drop_oldest",
        )
        with warnings_shown(view.note):
            async with self.partner.connected(self.pace) as credential:
                try:
                    agent = new_agent_from_credential(credential, options)
                except RealtimeError as error:
                    raise click.UsageError(str(error)) from error
                self._introduce()
                with view:
                    return await conversation.run(agent)

"""The group of subcommands, found by entry points and imported only when they are used or listed."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from io import TextIOWrapper

import click

__all__ = ["ENTRY_POINT_GROUP", "Commands", "realtime", "run"]

ENTRY_POINT_GROUP = "realtime.commands"
"""Entry-point group a wheel declares its subcommands in: name = "module:click_command"."""

_OWN = "realtime-core"


def _distribution(entry_point: EntryPoint) -> str:
    name = entry_point.dist.name if entry_point.dist else "an unnamed distribution"
    return name.lower().replace("_", "-")


def _offers() -> dict[str, list[EntryPoint]]:
    """Read who offers which subcommand; one entry a distribution, our own names are ours alone."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(entry_point.name, {}).setdefault(_distribution(entry_point), entry_point)
    return {
        name: [offers[_OWN]] if _OWN in offers else list(offers.values())
        for name, offers in found.items()
    }


def _broken(name: str, problem: str) -> click.Command:
    """Make a command that only tells why the real one is not there."""

    def fail() -> None:
        raise click.ClickException(problem)

    return click.Command(
        name,
        callback=fail,
        short_help=f"(unusable: {problem})",
        help=f"This command is unusable: {problem}",
        # Whatever it is called with, the problem is what it says.
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _load(name: str, offers: list[EntryPoint]) -> click.Command:
    if len(offers) > 1:
        names = " and ".join(sorted(map(_distribution, offers)))
        return _broken(name, f"it is offered by {names}; uninstall one of them")
    offer = offers[0]
    try:
        command = offer.load()
    except Exception as error:  # noqa: BLE001 - whatever a foreign import raises, the others go on
        return _broken(name, f"{_distribution(offer)}: {type(error).__name__}: {error}")
    if not isinstance(command, click.Command):
        return _broken(name, f"{_distribution(offer)}: {offer.value} is not a click command")
    return command


class Commands(click.Group):
    """A group whose subcommands come from entry points; one that does not load is listed with its error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names, sorted; imports none."""
        return sorted({*super().list_commands(ctx), *_offers()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        offers = _offers().get(cmd_name)
        return _load(cmd_name, offers) if offers else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="realtime-core", prog_name="realtime")
def realtime() -> None:
    """Full-duplex voice models at the command line."""


def run() -> int:
    """
    Run the group.

    Returns:
        The exit code: 130 for Ctrl-C wherever it comes, else click's.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        # A transcript may be in any script, and a pipe of any encoding.
        sys.stdout.reconfigure(errors="replace")
    try:
        return _ran()
    finally:
        _drop_what_nobody_reads()


def _drop_what_nobody_reads() -> None:
    """Leave an output that cannot be written: the interpreter flushes it at its end, and fails if it cannot."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            setattr(sys, name, None)


def _ran() -> int:
    try:
        code = realtime.main(prog_name="realtime", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    return code if isinstance(code, int) else 0

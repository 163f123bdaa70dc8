"""`realtime serve-calls`: its options, what it prints, and how signals end it."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from realtime_core.errors import ConfigError

if TYPE_CHECKING:  # everything else only when calls are really served: --help comes fast
    from realtime_telephony.call_record import CallRecord, RefusedCall
    from realtime_telephony.routing import Routing

__all__ = ["serve_calls"]

_CANNOT_LISTEN, _WRONG_USE, _ENDED_AT_ONCE = 1, 2, 130
_LEVELS = ("debug", "info", "warning", "error")


class _Refused(click.ClickException):
    exit_code = _WRONG_USE


@click.command(name="serve-calls", short_help="Answer telephone calls.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="TOML",
    help="The routing file: where to listen, and which call goes to whose model.",
)
@click.option("--check", is_flag=True, help="Look whether the routing file is right, and end.")
@click.option(
    "--no-check",
    is_flag=True,
    help="Start without making an agent of every route first; a wrong credential is then found by a caller.",
)
@click.option("--example", is_flag=True, help="Print a complete routing file with comments.")
@click.option(
    "--log-level",
    type=click.Choice(_LEVELS),
    default="warning",
    show_default=True,
    help="Of the log on standard error.",
)
@click.pass_context
def serve_calls(
    ctx: click.Context,
    config: Path | None,
    check: bool,
    no_check: bool,
    example: bool,
    log_level: str,
) -> None:
    """
    Answer telephone calls with realtime voice models.

    Listens for Asterisk (AudioSocket and WebSocket) and for the media streams of Twilio, Telnyx and Plivo, as the routing
    file says, and prints a line for each call. SIGTERM or Ctrl-C lets running calls end first; a second one ends
    them at once. Exit code 0: ended after a signal, or checked and right; 1: an address cannot be had; 2: wrong use,
    or something in the routing file is wrong; 130: ended at once by a second signal.
    """
    if example:
        click.echo(
            (files("realtime_telephony") / "calls.example.toml").read_text("utf-8"), nl=False
        )
        return
    if config is None:
        raise click.UsageError("expected --config TOML; --example prints one to start from")
    if check and no_check:
        raise click.UsageError("--check and --no-check exclude each other")
    import logging

    from realtime_telephony.routing import load_routing

    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        routing = load_routing(config)
        if not no_check:
            routing.check()
    except ConfigError as error:
        raise _Refused(str(error)) from error
    if check:
        _print_routes(routing)
        click.echo(f"{config}: right")
        return
    ctx.exit(asyncio.run(_serve(routing)))


def _print_routes(routing: Routing) -> None:
    click.echo("Routes, the first that fits takes a call:")
    rows = [
        (route.name, route.match.describe() if route.match else "all others", route.provider)
        for route in routing.all_routes
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, conditions, provider in rows:
        click.echo(f"  {name:<{widths[0]}}  {conditions:<{widths[1]}}  {provider}")


def _with_time(record: CallRecord | RefusedCall) -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} {record.line()}"


class _Stop:
    """What signals ask for: the first to stop in order, any further one to stop at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()

    def ask(self) -> None:
        (self.hurried if self.asked.is_set() else self.asked).set()


@contextmanager
def _signals(stop: _Stop) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal(_number: int, _frame: Any) -> None:
        loop.call_soon_threadsafe(stop.ask)

    # Not loop.add_signal_handler, which Windows has not.
    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _short_collections() -> Iterator[None]:
    """
    Let the garbage collector walk what calls make, and not what was loaded before them.

    A full collection stops every call: modules alone are 50,000 objects, 15 ms on an idle machine, and a call has 20 ms a frame.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _serve(routing: Routing) -> int:
    """Serve until signals end it; gives the exit code."""
    from realtime_telephony.printer import Printer
    from realtime_telephony.server import CallServer, ListenError

    printer = Printer(click.echo)
    server = CallServer(routing, on_record=lambda record: printer.line(_with_time(record)))
    stop = _Stop()
    with _signals(stop):
        try:
            await server.start()
        except ListenError as error:
            click.echo(f"error: {error}", err=True)
            return _CANNOT_LISTEN
        click.echo("Listening:")
        for line in server.listening:
            click.echo(f"  {line}")
        _print_routes(routing)
        settings = routing.server
        click.echo(
            f"At most {settings.most_calls} calls; after SIGTERM they may go on for {settings.drain_s:g} s."
        )
        with _short_collections():
            await stop.asked.wait()
        click.echo(f"stopping: {len(server.calls)} calls are up")
        drain = asyncio.create_task(server.drain())
        hurry = asyncio.create_task(stop.hurried.wait())
        await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurried = not drain.done()
        if hurried:
            server.end_now()
        hurry.cancel()
        await drain
    await asyncio.to_thread(printer.close)
    click.echo("stopped")
    return _ENDED_AT_ONCE if hurried else 0

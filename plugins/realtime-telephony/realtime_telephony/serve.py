"""`realtime serve-calls`: its options, what it prints, and how signals end it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime_core.errors import ConfigError, RealtimeError

if TYPE_CHECKING:  # everything else only when calls are really served: --help comes fast
    from realtime_telephony.call_record import CallRecord, RefusedCall
    from realtime_telephony.console import Console
    from realtime_telephony.routing import Routing
    from realtime_telephony.server import CallServer
    from realtime_telephony.signals import Asked

__all__ = ["serve_calls"]

_CANNOT_LISTEN, _WRONG_USE, _ENDED_AT_ONCE = 1, 2, 130
_RELOAD_LIMIT_S = 60.0
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
    them at once. SIGHUP reads the routes again. Exit code 0: ended after a signal, or checked and right; 1: an address
    cannot be had; 2: wrong use, or something in the routing file is wrong; 130: ended at once by a second signal.
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
    from realtime_telephony.console import Console
    from realtime_telephony.signals import Asked, held_back

    asked = Asked()
    with held_back(asked), Console(log_level.upper()) as console:
        try:
            routing = _read(config, check=not no_check)
        except ConfigError as error:
            raise _Refused(str(error)) from error
        if check:
            for line in _routes(routing):
                console.line(line)
            console.line(f"{config}: right")
            return
        code = asyncio.run(
            _serve(routing, console, lambda: _read(config, check=not no_check), asked)
        )
    ctx.exit(code)


def _read(config: Path, *, check: bool) -> Routing:
    from realtime_telephony.routing import load_routing

    routing = load_routing(config)
    if check:
        routing.check()
    return routing


def _routes(routing: Routing) -> Iterator[str]:
    yield "Routes, the first that fits takes a call:"
    rows = [
        (route.name, route.match.describe() if route.match else "all others", route.provider)
        for route in routing.all_routes
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, conditions, provider in rows:
        yield f"  {name:<{widths[0]}}  {conditions:<{widths[1]}}  {provider}"


def _with_time(record: CallRecord | RefusedCall) -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} {record.line()}"


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


async def _serve(
    routing: Routing, console: Console, read: Callable[[], Routing], asked: Asked
) -> int:
    """Serve until signals end it; gives the exit code."""
    from realtime_telephony.server import CallServer, ListenError
    from realtime_telephony.signals import signals

    server = CallServer(routing, on_record=lambda record: console.line(_with_time(record)))
    with signals(asked):
        try:
            await server.start()
        except ListenError as error:
            console.error(f"error: {error}")
            return _CANNOT_LISTEN
        console.line("Listening:")
        for line in server.listening:
            console.line(f"  {line}")
        for line in _routes(routing):
            console.line(line)
        settings = routing.server
        console.line(
            f"At most {settings.most_calls} calls; after SIGTERM they may go on for {settings.drain_s:g} s."
        )
        reloading = asyncio.create_task(_reload(server, console, asked.to_reload, read))
        with _short_collections():
            await asked.to_stop.wait()
        reloading.cancel()
        console.line(f"stopping: {len(server.calls)} calls are up")
        drain = asyncio.create_task(server.drain())
        hurry = asyncio.create_task(asked.to_hurry.wait())
        await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurried = not drain.done()
        if hurried:
            server.end_now()
        hurry.cancel()
        await drain
    console.line("stopped")
    return _ENDED_AT_ONCE if hurried else 0


async def _reload(
    server: CallServer, console: Console, asked: asyncio.Event, read: Callable[[], Routing]
) -> None:
    """Read the routing file again whenever a signal asks for it; a wrong one changes nothing."""
    import logging

    from realtime_telephony.making import Making

    log = logging.getLogger("realtime_telephony.server")
    making = Making(1)
    while await asked.wait():
        asked.clear()
        try:
            routing = await making.run(read, _RELOAD_LIMIT_S)
        except Exception as error:  # noqa: BLE001 - a provider's bug must not end the calls
            told = str(error) if isinstance(error, RealtimeError) else type(error).__name__
            log.error("the routes stay as they were: %s", told)
            continue
        if not server.reroute(routing):
            log.warning("[server] of the routing file has changed; it is read at the start only")
        for line in _routes(routing):
            console.line(line)

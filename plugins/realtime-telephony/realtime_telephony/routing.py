"""
The routing file of `realtime serve-calls`: which call goes to whose model.

It is TOML: a table `[server]`, a list of `[[route]]` of which the first that fits takes a call, and a `[default]` for the
calls no other route takes. Secrets are not in it; it names environment variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from realtime_core.errors import ConfigError
from realtime_core.toml_file import Table, parse_toml, read_toml
from realtime_telephony.leg import CallInfo
from realtime_telephony.route import Route, read_route
from realtime_telephony.server_settings import ServerSettings, read_server

__all__ = ["Routing", "load_routing", "read_routing"]


@frozen(kw_only=True)
class Routing:
    """A whole routing file."""

    server: ServerSettings
    """Where to listen, whom to let in."""
    routes: tuple[Route, ...]
    """In order; the first that fits takes a call."""
    default: Route | None = None
    """Takes what no other takes; `None`: such calls are refused."""

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """The routes and the default one."""
        return (*self.routes, *([self.default] if self.default else ()))

    def route_for(self, call: CallInfo) -> Route | None:
        """Choose a call's route; `None` when nobody takes it."""
        for route in self.routes:
            if route.match is not None and route.match.fits(call):
                return route
        return self.default

    def check(self) -> None:
        """
        Make an agent of every route, without connecting it, and look at its files.

        It imports the providers, so that the first call does not wait for that.

        Raises:
            ConfigError: The first thing found wrong.
        """
        for route in self.all_routes:
            route.check(
                secrets_in_this_file=self.server.secrets_in_this_file,
                accounts=self.server.accounts,
            )


def load_routing(path: Path) -> Routing:
    """
    Read a routing file; paths in it start at its folder.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong; names the file, line, key and the expectation.
    """
    return _routing(read_toml(path), path.parent)


def read_routing(text: str, *, file: str, folder: Path) -> Routing:
    """
    Read the text of a routing file.

    Args:
        text: TOML.
        file: Its name, for errors.
        folder: Where paths in it start.

    Raises:
        ConfigError: Something in it is wrong.
    """
    return _routing(parse_toml(text, file), folder)


def _routing(table: Table, folder: Path) -> Routing:
    server = read_server(table.table("server"))
    routes = tuple(
        read_route(inner, folder, default=False, number=number)
        for number, inner in enumerate(table.tables("route"), 1)
    )
    default = None
    if table.has("default"):
        default = read_route(table.table("default"), folder, default=True, number=0)
    table.finish()
    if not routes and default is None:
        raise ConfigError(
            f"{table.source}: expected [[route]] or [default]; every call would be refused"
        )
    routing = Routing(server=server, routes=routes, default=default)
    names = [route.name for route in routing.all_routes]
    for route in routing.all_routes:
        if names.count(route.name) > 1:
            raise ConfigError(
                f"{route.at('name')}: {route.name!r} is the name of another route too"
            )
    _refuse_hidden(routes)
    return routing


def _refuse_hidden(routes: Sequence[Route]) -> None:
    for number, later in enumerate(routes):
        for earlier in routes[:number]:
            if earlier.match and later.match and earlier.match.hides(later.match):
                raise ConfigError(
                    f"{later.at()}: {later.name!r} never gets a call: {earlier.name!r} before it takes them all"
                )

"""What a call gets: whose model, what it is told, what it may do, what is kept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from realtime_core.agent import Agent
from realtime_core.credentials import credential_schema
from realtime_core.errors import ConfigError, RealtimeError
from realtime_core.factory import new_agent_from_credential
from realtime_core.options import Options, SemanticVAD, ServerVAD
from realtime_core.registry import lookup, normalised_slug
from realtime_core.toml_file import Table
from realtime_telephony.attach import options_for
from realtime_telephony.call_control import CallControl
from realtime_telephony.environment import expanded, has_reference
from realtime_telephony.fallback import fallback_audio
from realtime_telephony.leg import CallInfo, CallLeg
from realtime_telephony.matching import LEG_KINDS, Match, read_match
from realtime_telephony.media_hang_up import VendorAccount
from realtime_telephony.tool_sources import ToolSource, find_tools

__all__ = ["Route", "read_route"]

_UNSAFE = re.compile(r"[^A-Za-z0-9.+_-]+")
_PROBE_HZ = 8000


@frozen(kw_only=True)
class Route:
    """One way a call can go."""

    name: str
    """For the log."""
    match: Match | None
    """Which calls; `None` for the default route."""
    at: Callable[..., str] = field(repr=False)
    """Tells where a key of it stands in the file, for errors."""
    credential: Mapping[str, Any] = field(repr=False)
    """For `new_agent_from_credential`."""
    literals: tuple[str, ...] = ()
    """Keys of an inline credential that are written out in the file, not taken from the environment."""
    options: Options
    """Without rates and without `CallControl`'s tools."""
    tools: tuple[ToolSource, ...] = ()
    """The application's."""
    greeting: str | None = None
    """Instructions for the first words, empty for the usual ones; `None`: the caller speaks first."""
    hang_up: bool = True
    """Whether the model may end the call."""
    transfer: Mapping[str, str] = field(factory=dict)
    """Where the model may send the caller, by the name it uses."""
    fallback: Path | None = None
    """WAV played when the model fails."""
    record: Path | None = None
    """Folder of the recordings."""
    picture: Path | None = None
    """Folder of the call pictures."""

    @property
    def provider(self) -> str:
        """The slug."""
        return str(self.credential.get("provider", ""))

    def control_for(self, leg: CallLeg) -> CallControl:
        """Make the call's own tools; a transfer is not offered where the leg cannot."""
        targets = dict(self.transfer) if leg.capabilities.transfer else {}
        return CallControl(hang_up=self.hang_up, transfer_to=targets)

    def agent_for(self, leg: CallLeg, control: CallControl) -> Agent:
        """
        Make the agent of a call.

        Raises:
            RealtimeError: The credential does not suit its provider. What a function for tools raises comes out too.
        """
        tools = [tool for source in self.tools for tool in source.tools_for(leg.info)]
        options = attrs.evolve(self.options, tools=(*tools, *control.tools))
        return new_agent_from_credential(self.credential, options_for(leg, options))

    def file_for(self, folder: Path | None, call: CallInfo, suffix: str) -> Path | None:
        """Name a file after the time and the call; its name holds nothing a file system could stumble over."""
        if folder is None:
            return None
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        name = _UNSAFE.sub("_", f"{time}-{self.name}-{call.leg}-{call.call_id}")
        return folder / f"{name[:200]}{suffix}"

    def check(
        self,
        *,
        secrets_in_this_file: bool = False,
        accounts: Mapping[str, VendorAccount] | None = None,
    ) -> None:
        """
        Make an agent, without connecting it, and look at files and folders, and at targets of transfers.

        Args:
            secrets_in_this_file: Secrets may be written out in an inline credential.
            accounts: Who transfers calls, by kind of leg.

        Raises:
            RealtimeError: The provider does not exist, or refuses the credential or the options.
            ConfigError: A secret stands in the file, a file or a folder cannot be used, or a vendor cannot take a target.
        """
        if not secrets_in_this_file:
            self._check_secrets()
        fixed = [tool for source in self.tools for tool in source.fixed]
        control = CallControl(hang_up=self.hang_up, transfer_to=dict(self.transfer))
        try:
            probe = attrs.evolve(
                self.options,
                input_sample_rate=_PROBE_HZ,
                output_sample_rate=_PROBE_HZ,
                tools=(*fixed, *control.tools),
            )
            new_agent_from_credential(self.credential, probe)
        except RealtimeError as error:
            key = () if str(error).startswith("Options.") else ("credential",)
            raise ConfigError(f"{self.at(*key)}: {error}", kind=error.kind) from None
        self._check_files()
        self._check_transfers(accounts or {})

    def _check_secrets(self) -> None:
        try:
            config = getattr(lookup(self.provider), "config", None)
        except RealtimeError:  # told when the agent is made
            return
        if not isinstance(config, type) or not attrs.has(config):
            return
        properties = credential_schema(config)["properties"]
        for key in self.literals:
            if properties.get(_camel(key), {}).get("writeOnly"):
                name = properties[_camel(key)].get("x-env", "NAME")
                raise ConfigError(
                    f"{self.at('credential', key)}: a secret stands in the file; put it into the environment and write "
                    f"${{{name}}}, name a JSON file instead, or set server.secrets_in_this_file = true"
                )

    def _check_transfers(self, accounts: Mapping[str, VendorAccount]) -> None:
        """Refuse a target that a vendor of the route cannot take, or, where the route names none, nobody who transfers calls."""
        legs = self.match.possible_legs if self.match is not None else LEG_KINDS
        able = {leg: account for leg, account in accounts.items() if leg in legs}
        for name, target in self.transfer.items():
            refused = {leg: why for leg, each in able.items() if (why := _refusal(each, target))}
            if refused and (len(refused) == len(able) or legs != LEG_KINDS):
                leg, why = next(iter(refused.items()))
                raise ConfigError(f"{self.at('transfer', name)}: for calls on {leg} {why}")

    def _check_files(self) -> None:
        if self.fallback is not None:
            try:
                fallback_audio(self.fallback, _PROBE_HZ)
            except ConfigError as error:
                raise ConfigError(
                    f"{self.at('fallback')}: {str(error).removeprefix('fallback: ')}"
                ) from None
        for key, folder in (("record", self.record), ("picture", self.picture)):
            if folder is not None and not folder.is_dir():
                raise ConfigError(f"{self.at(key)}: there is no folder {folder}")
            if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigError(f"{self.at(key)}: nothing can be written into {folder}")


def _refusal(account: VendorAccount, target: str) -> str | None:
    """Say what a vendor expects instead of a target; `None`: it takes it."""
    try:
        account.transfer("call", target)
    except ConfigError as error:
        return str(error).removeprefix("transfer: ")
    return None


def _camel(key: str) -> str:
    head, *rest = key.split("_")
    return head + "".join(part.capitalize() for part in rest)


def read_route(table: Table, folder: Path, *, default: bool, number: int) -> Route:
    """
    Read a route.

    Args:
        table: `[[route]]` or `[default]`.
        folder: Of the file; paths in it start there.
        default: It takes what no other takes, and has no conditions.
        number: Counted from 1, for the name of a route without one.

    Raises:
        ConfigError: Something in it is wrong.
    """
    match = None if default else read_match(table)
    credential, literals = _credential(table, folder)
    route = Route(
        name=table.text("name", None) or ("default" if default else f"route{number}"),
        match=match,
        at=table.at,
        credential=credential,
        literals=literals,
        options=_options(table),
        tools=tuple(find_tools(name, folder, table.at("tools")) for name in table.texts("tools")),
        greeting=_greeting(table),
        hang_up=table.flag("hang_up", True),
        transfer=table.mapping("transfer"),
        fallback=_path(table, "fallback", folder),
        record=_path(table, "record", folder),
        picture=_path(table, "picture", folder),
    )
    table.finish()
    return route


def _greeting(table: Table) -> str | None:
    value = table.raw("greeting")
    if value is False:
        return None
    if value is True:
        return ""
    if value is not None and not isinstance(value, str):
        raise table.error(
            "expected a string, true for the usual one, or false for none", "greeting"
        )
    return value


def _path(table: Table, key: str, folder: Path) -> Path | None:
    value = table.text(key, None)
    return None if value is None else folder / value


def _credential(table: Table, folder: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Read the credential, inline or from its JSON file, and put the environment's part in."""
    at = table.at("credential")
    value = table.raw("credential")
    literals: tuple[str, ...] = ()
    if isinstance(value, str):
        value = _from_json(folder / value, at)
    elif isinstance(value, dict):
        literals = tuple(key for key, item in value.items() if _is_written_out(item))
    else:
        raise ConfigError(
            f'{at}: expected a table such as {{ provider = "openai", apiKey = "${{OPENAI_API_KEY}}" }}, '
            "or the path of a JSON file"
        )
    if not isinstance(value.get("provider"), str) or not normalised_slug(value["provider"]):
        raise ConfigError(f'{at}: expected a provider, as in provider = "openai"')
    return expanded(value, at), literals


def _is_written_out(value: object) -> bool:
    """Whether a value of the file, or one in it, is neither empty nor taken from the environment."""
    if isinstance(value, Mapping):
        return any(_is_written_out(item) for item in value.values())
    return not (isinstance(value, str) and (not value or has_reference(value)))


def _from_json(path: Path, at: str) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{at}: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{at}: no file has such a name") from None
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        problem = f"{path} is not UTF-8 text"
    except json.JSONDecodeError as error:
        problem = f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    except ValueError:  # of Python's limit on the digits of a number
        problem = f"{path} is not JSON that can be read: a number in it is too long"
    else:
        if isinstance(value, dict):
            return value
        problem = f"{path} holds JSON, but no object"
    raise ConfigError(f"{at}: {problem}")


def _options(table: Table) -> Options:
    vendor = table.table("vendor")
    voice, vad = table.text("voice", None), _vad(table)
    instructions = table.text("instructions", "")
    temperature = table.number("temperature", 0, 10, None)
    timeout_s = table.number("tool_timeout_s", 0.1, 600, 30.0)
    start_s = table.number("start_timeout_s", 0.5, 60, 15.0)
    return Options(
        system_prompt=instructions,
        voice=voice,
        vad=vad,
        temperature=temperature,
        tool_timeout_s=timeout_s,
        start_timeout_s=start_s,
        vendor=vendor.values(),
    )


def _vad(table: Table) -> ServerVAD | SemanticVAD | None:
    if not table.has("vad"):
        return None
    settings = table.table("vad")
    kind = settings.choice("type", "server", ("server", "semantic"))
    interrupt = settings.flag("interrupt", True)
    vad: ServerVAD | SemanticVAD
    if kind == "semantic":
        words = ("low", "medium", "high", "auto")
        eagerness: Any = settings.choice("eagerness", "auto", words)
        vad = SemanticVAD(eagerness=eagerness, interrupt=interrupt)
    else:
        vad = ServerVAD(
            threshold=settings.number("threshold", -1, 1, None),
            prefix_padding_ms=settings.whole("prefix_padding_ms", 0, 5000, None),
            silence_ms=settings.whole("silence_ms", 0, 10000, None),
            idle_timeout_ms=settings.whole("idle_timeout_ms", 0, 600_000, None),
            interrupt=interrupt,
        )
    settings.finish()
    return vad

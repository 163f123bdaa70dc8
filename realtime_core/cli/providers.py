"""`realtime providers`: what is installed, for people and for control planes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from realtime_core.capabilities import Capabilities
from realtime_core.describe import ProviderInfo, describe_providers

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["providers"]

_SHOWN = ("server_vad", "semantic_vad", "manual_turns", "truncation", "tools", "text_input")


def _abilities(capabilities: Capabilities) -> str:
    able = [flag.replace("_", " ") for flag in _SHOWN if getattr(capabilities, flag)]
    rates = (capabilities.input_wire_rate_hz, capabilities.output_wire_rate_hz)
    if all(rates):
        able.append("wire {:g} kHz in, {:g} kHz out".format(*(hz / 1000 for hz in rates if hz)))
    return ", ".join(able)


def _table(infos: Sequence[ProviderInfo]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("slugs", overflow="fold")
    table.add_column("wheel", overflow="fold")
    table.add_column("capabilities")
    for info in infos:
        if info.load_error is not None:
            says = Text(str(info.load_error), style="red")
        elif info.capabilities is not None:
            says = Text(_abilities(info.capabilities))
        else:
            says = Text("it does not say", style="dim")
        wheel = f"{info.distribution}\n{info.version}" if info.distribution else "this process"
        table.add_row(Text("\n".join(info.slugs)), Text(wheel), says, end_section=True)
    return table


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON, credential schemas included.")
def providers(as_json: bool) -> None:
    """List the installed providers."""
    infos = describe_providers()
    if as_json:
        click.echo(json.dumps([info.as_json() for info in infos], indent=2, ensure_ascii=False))
    elif infos:
        from rich.console import Console

        Console().print(_table(infos))
    else:
        click.echo(
            "No provider is installed; try `pip install 'realtime-local[espeak]'`, `pip install realtime-openai` or "
            "`pip install realtime-aliyun`."
        )

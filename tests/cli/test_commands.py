"""Subcommands of other wheels: found, and harmless when they are broken."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import click
import pytest

from realtime_core.cli import commands
from tests.cli.conftest import Invoke


@click.command
def wave_back() -> None:
    """Wave back."""
    click.echo("hello")


def entry(name: str, value: str, wheel: str) -> EntryPoint:
    point = EntryPoint(name, value, commands.ENTRY_POINT_GROUP)
    vars(point)["dist"] = SimpleNamespace(name=wheel, version="1.0")
    return point


@pytest.fixture(autouse=True)
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("third_party_command")
    module.__dict__.update(wave=wave_back, number=5)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    offers = [
        entry("wave", "third_party_command:wave", "realtime-wave"),
        entry("wave", "third_party_command:wave", "Realtime_Wave"),  # the same wheel, listed twice
        entry("number", "third_party_command:number", "realtime-number"),
        entry("absent", "third_party_absent:command", "realtime-absent"),
        entry("contested", "third_party_command:wave", "realtime-one"),
        entry("contested", "third_party_command:wave", "realtime-two"),
        entry("providers", "third_party_command:wave", "realtime-thief"),
        entry("providers", "realtime_core.cli.providers:providers", "realtime-core"),
    ]
    monkeypatch.setattr(commands, "entry_points", lambda group: offers)


def test_a_command_of_another_wheel_runs(invoke: Invoke) -> None:
    assert invoke("wave").stdout == "hello\n"


def test_the_list_holds_the_broken_ones_with_their_errors(invoke: Invoke) -> None:
    result = invoke("--help", terminal_width=200)
    assert result.exit_code == 0
    lines = [line.split(maxsplit=1) for line in result.stdout.split("Commands:\n")[1].splitlines()]
    listed = dict(lines)
    assert list(listed) == ["absent", "contested", "number", "providers", "wave"]
    assert listed["wave"] == "Wave back."
    assert listed["providers"] == "List the installed providers."
    assert listed["absent"].startswith("(unusable: realtime-absent: ModuleNotFoundError")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent", "realtime-absent: ModuleNotFoundError: No module named 'third_party_absent'"),
        ("number", "realtime-number: third_party_command:number is not a click command"),
        ("contested", "it is offered by realtime-one and realtime-two; uninstall one of them"),
    ],
)
def test_a_broken_one_says_why(name: str, says: str, invoke: Invoke) -> None:
    result = invoke(name, "--any", "option")
    assert (result.exit_code, result.stderr) == (1, f"Error: {says}\n")


def test_nobody_takes_our_own_commands(invoke: Invoke) -> None:
    assert "openai" in invoke("providers").stdout


def test_an_unknown_command_is_a_wrong_use(invoke: Invoke) -> None:
    result = invoke("sing")
    assert result.exit_code == 2
    assert "No such command 'sing'" in result.stderr


def test_the_version(invoke: Invoke) -> None:
    assert invoke("--version").stdout.startswith("realtime, version 0.")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["wave"], 0), (["sing"], 2), (["absent"], 1), (["stop"], 130)]
)
def test_the_exit_codes_of_the_process(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(commands.realtime.commands, "stop", click.Command("stop", callback=stop))
    monkeypatch.setattr(sys, "argv", ["realtime", *arguments])
    assert commands.run() == code

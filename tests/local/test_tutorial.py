"""The tutorial, followed to the letter in an empty folder, with each voice it speaks of."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

PAGE = Path(__file__).parents[2].joinpath("docs", "local-tutorial.md").read_text("utf-8")
PROGRAMS = {
    "python": [sys.executable],
    "realtime": [sys.executable, "-P", "-m", "realtime_core.cli"],
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def followed(command: str, folder: Path, path: str) -> str:
    """Run a line of the page; a call at four times the pace of speech."""
    program, *arguments = shlex.split(command, comments=True)
    pace = ["--pace", "4"] if program == "realtime" else []
    ran = subprocess.run(
        [*PROGRAMS[program], *arguments, *pace],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, command + ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            os.environ.get("PATH", ""),
            id="voice of the system",
            marks=pytest.mark.skipif(
                not (which("flite") or which("espeak-ng")), reason="no voice on this system"
            ),
        ),
        pytest.param(
            "",
            id="voice of the extra",
            marks=pytest.mark.skipif(not find_spec("espeakng_loader"), reason="needs the extra"),
        ),
    ],
)
def test_it_leads_from_an_empty_folder_to_a_tool_using_agent(path: str, tmp_path: Path) -> None:
    say, agent, _ = blocks("python")
    tmp_path.joinpath("say.py").write_text(say, "utf-8")
    tmp_path.joinpath("workshop.toml").write_text(blocks("toml")[0], "utf-8")
    tmp_path.joinpath("workshop.py").write_text(agent.partition("\n\nasync def")[0], "utf-8")
    tmp_path.joinpath("local.json").write_text(
        '{"provider": "local", "script": "workshop.toml"}', "utf-8"
    )
    assert '`{"provider": "local", "script": "workshop.toml"}` in `local.json`' in PAGE
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    told = [
        followed(command, tmp_path, path)
        for command in commands
        if not command.startswith("pip ") and "--mic" not in command
    ]
    assert "what is on the menu" in told[1]
    assert tmp_path.joinpath("reply.wav").stat().st_size > 48_000
    assert "<svg" in tmp_path.joinpath("call.svg").read_text("utf-8")
    assert "What is the number on your ticket?" in told[-1]
    assert "Number four three one is waiting for a part." in told[-1]
    assert tmp_path.joinpath("workshop.svg").exists()

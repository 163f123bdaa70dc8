"""What a run needs side by side: Asterisk, the vendor, our server and a capture, each started and stopped here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Self

from tests.telephony.real.asterisk import Asterisk
from tests.telephony.real.capture import Capture
from tests.telephony.real.parts import Parts
from tests.telephony.soak.machine import Reading, read

__all__ = ["PORTS", "AgentKind", "Child", "Rig"]

AgentKind = Literal["openai", "local"]
PORTS: Final = 4000
"""How many UDP ports a rig takes, from its first one on."""
_PHONES: Final = 200
_START_S: Final = 30.0
_STOP_S: Final = 20.0
_ROOT: Final = Path(__file__).parents[3]
_ROUTING: Final = """
[server]
most_calls = 1000
secrets_in_this_file = true
[server.audiosocket]
port = {audiosocket}
[server.http]
port = {http}
[default]
greeting = true
credential = {credential}
"""


class Child:
    """
    A Python process of ours that talks in JSON lines and stops when its standard input ends.

    Args:
        module: What it runs.
        arguments: Its command line.
        log: Takes its standard error.
        nice: Its priority.
    """

    def __init__(self, module: str, arguments: Sequence[str], log: Path, *, nice: int = 0) -> None:
        self._module = module
        self._command = ["nice", "-n", str(nice), sys.executable, "-m", module, *arguments]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self.lines: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> dict[str, Any]:
        """Start it and give its first line."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={key: value for key, value in os.environ.items() if "proxy" not in key.lower()},
            )
        self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(_START_S):
            while not self.lines:
                if self._reading.done():
                    raise RuntimeError(f"{self._module} ended: {self.tail()}")
                self._came.clear()
                await self._came.wait()
        return self.lines[0]

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(json.loads(line))
            self._came.set()
        self._came.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("kind") == kind]

    def tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])

    async def stop(self) -> None:
        """Let it stop; by force after a time."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reading is not None:
            await self._reading
        said = "".join(f"{json.dumps(line)}\n" for line in self.lines)
        await asyncio.to_thread(self._log.with_suffix(".jsonl").write_text, said)


class Rig:
    """
    All of it, for use as an asynchronous context manager.

    Args:
        parts: Where the programs are.
        directory: For files.
        first_port: UDP ports from here on are ours: phones first, then Asterisk's.
        agent: Who answers.
        reply_ms: How long a reply of the loopback vendor is.
        watch: Have our server tell where every call is.
        profile: Write a profile of our server there.
        nice: Priority of our server, as `Nice=` of its service would set it.
    """

    def __init__(
        self,
        parts: Parts,
        directory: Path,
        *,
        first_port: int,
        agent: AgentKind = "openai",
        reply_ms: int = 8000,
        watch: bool = False,
        profile: Path | None = None,
        nice: int = 0,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.parts = parts
        self.directory = directory
        self.agent: AgentKind = agent
        self.first_port = first_port
        self.asterisk = Asterisk(
            parts,
            rtp_ports=(first_port + _PHONES, first_port + PORTS - 1),
        )
        self.capture = Capture(range(first_port, first_port + _PHONES))
        self.vendor = Child(
            "tests.telephony.soak.vendor",
            ["--reply-ms", str(reply_ms)],
            directory / "vendor.log",
        )
        options = (["--watch"] if watch else []) + (
            [] if profile is None else ["--profile", str(profile)]
        )
        self.bridge = Child(
            "tests.telephony.soak.bridge",
            [str(directory / "calls.toml"), *options],
            directory / "bridge.log",
            nice=nice,
        )

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self.asterisk.start)
            credential = {"provider": "local"}
            if self.agent == "openai":
                credential = await self.vendor.start()
            text = ", ".join(f"{key} = {json.dumps(value)}" for key, value in credential.items())
            (self.directory / "calls.toml").write_text(
                _ROUTING.format(
                    audiosocket=self.asterisk.audiosocket_port,
                    http=self.asterisk.websocket_port,
                    credential=f"{{ {text} }}",
                )
            )
            await self.bridge.start()
            self.capture.__enter__()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.capture.__exit__)
        await self._stop()

    async def _stop(self) -> None:
        await self.bridge.stop()
        await self.vendor.stop()
        await asyncio.to_thread(self.asterisk.stop)

    def read(self, phones: Mapping[str, int] | None = None) -> Reading:
        """Look at the CPU clocks of all processes, with those of the phones."""
        pids = {"ours": self.bridge.pid, "asterisk": self.asterisk.pid, **(phones or {})}
        if self.agent == "openai":
            pids["vendor"] = self.vendor.pid
        return read({**pids, "measuring": os.getpid()}, time.monotonic())

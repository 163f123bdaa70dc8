"""A real Asterisk 22 on loopback: its configuration written here, started, asked, stopped or killed."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tests.telephony.real.asterisk_config import configuration
from tests.telephony.real.parts import Parts
from tests.telephony.real.programs import Program, free_tcp_port, free_udp_port, wait_until

__all__ = ["Asterisk"]

START_TIMEOUT_S: Final = 20.0
RX_TIMEOUT_S: Final = 10.0
IDLE_TIMEOUT_S: Final = 10.0


class Asterisk:
    """
    One Asterisk with the extensions of `asterisk_config`, for use as a context manager.

    Any phone may dial `sip:<extension>@127.0.0.1:<sip_port>` without registration. Several may run at once: each has its own
    ports and its own directory in the shared root.

    Args:
        parts: Where the root is.
        audiosocket_port: Where our AudioSocket listener will be; free ones are chosen otherwise.
        websocket_port: Where our HTTP server will be, at path `websocket_path`.
        dialplan: More lines of extensions, in `extensions.conf` syntax.
        rtp_ports: First and last RTP port; two a channel.
        packet_ms: How much G.711 its phones are asked to pack into a packet.
    """

    websocket_path = "/asterisk"

    def __init__(
        self,
        parts: Parts,
        *,
        audiosocket_port: int | None = None,
        websocket_port: int | None = None,
        dialplan: str = "",
        rtp_ports: tuple[int, int] = (10000, 11999),
        packet_ms: int = 20,
    ) -> None:
        self.sip_port = free_udp_port()
        self.audiosocket_port = audiosocket_port or free_tcp_port()
        self.websocket_port = websocket_port or free_tcp_port()
        self.rtp_ports = rtp_ports
        self._root = parts.chroot
        self._inside = Path("/run") / f"calls-{uuid.uuid4().hex[:12]}"
        self.directory = self._root / self._inside.relative_to("/")
        self._extra = dialplan
        self._packet_ms = packet_ms
        self.files: dict[str, str] = {}
        """Text of files, by name, in the place of `asterisk_config`'s; to be set before `start`."""
        self._program: Program | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._program is not None, "Asterisk was not started"
        return self._program.pid

    @property
    def log(self) -> str:
        """What it said, in full."""
        return (self.directory / "asterisk.out").read_text(errors="replace")

    def uri(self, extension: str) -> str:
        """Say what to dial."""
        return f"sip:{extension}@127.0.0.1:{self.sip_port}"

    def start(self) -> None:
        """
        Write the configuration, start, and wait until it takes calls; about a second.

        Raises:
            TimeoutError: It does not come up; with what it said.
        """
        modules = sorted(self._root.glob("usr/lib/*/asterisk/modules"))
        assert modules, f"no Asterisk modules in {self._root}"
        files = configuration(
            inside=self._inside,
            modules=Path("/") / modules[0].relative_to(self._root),
            sip_port=self.sip_port,
            http_port=free_tcp_port(),
            audiosocket_port=self.audiosocket_port,
            websocket_uri=f"ws://127.0.0.1:{self.websocket_port}{self.websocket_path}",
            rtp_ports=self.rtp_ports,
            dialplan=self._extra,
            packet_ms=self._packet_ms,
        )
        for name in ("etc", "db", "keys", "spool", "run", "log"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        for name, text in {**files, **self.files}.items():
            (self.directory / "etc" / name).write_text(text)
        self._program = Program(
            ["chroot", str(self._root), "/usr/sbin/asterisk", "-f", "-C", str(self._conf)],
            self.directory / "asterisk.out",
        )
        program = self._program
        try:
            wait_until(
                lambda: (
                    program.returncode is not None
                    or "fully booted" in self.rx("core waitfullybooted")
                ),
                START_TIMEOUT_S,
                "Asterisk to boot",
            )
        except TimeoutError as error:
            said = program.tail()
            self.stop()
            raise TimeoutError(f"{error}: {said}") from error
        if program.returncode is not None:
            raise TimeoutError(f"Asterisk ended with {program.returncode}: {program.tail()}")

    @property
    def _conf(self) -> Path:
        return self._inside / "etc" / "asterisk.conf"

    def rx(self, command: str) -> str:
        """Run a command of its console, `core show channels concise` for example; blocks, so use a thread in a loop."""
        done = subprocess.run(
            [
                "chroot",
                str(self._root),
                "/usr/sbin/asterisk",
                "-C",
                str(self._conf),
                "-rx",
                command,
            ],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=RX_TIMEOUT_S,
        )
        return done.stdout

    def channels(self) -> int:
        """Count the channels that are up."""
        return len(self.rx("core show channels concise").splitlines())

    def is_idle(self) -> bool:
        """Wait until no channel is up; it takes a moment over the last one."""
        with suppress(TimeoutError):
            wait_until(lambda: not self.channels(), IDLE_TIMEOUT_S, "the channels to go")
            return True
        return False

    def kill(self) -> None:
        """End it as a crash would, calls and all."""
        if self._program is not None:
            self._program.kill()

    def stop(self) -> None:
        """End it and take its directory away; idempotent."""
        if self._program is not None:
            self._program.stop()
            self._program = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

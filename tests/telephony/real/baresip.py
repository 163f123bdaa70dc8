"""A real phone without a screen: baresip, which plays a WAV, records what it hears and is told what to do over TCP."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, Final, Self

from tests.telephony.real.parts import Parts
from tests.telephony.real.programs import Program, free_tcp_port, free_udp_port
from tests.telephony.real.sound import Sound, read_wav

__all__ = ["Baresip"]

MODULES: Final = "/usr/lib/baresip/modules"
LIFE_S: Final = 900.0
CONNECT_TIMEOUT_S: Final = 5.0
START_TRIES: Final = 3
REPLY_TIMEOUT_S: Final = 5.0
STOP_TIMEOUT_S: Final = 1.0  # it waits longer than that for a peer that is gone

CONFIG: Final = """poll_method epoll
sip_listen 127.0.0.1:{sip_port}
audio_player aubridge,sink
audio_source aufile,{wav}
audio_alert aubridge,alert
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
rtp_ports {first}-{last}
jitter_buffer_delay 1-5
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {recordings}
ringback_disabled yes
"""


class Baresip:
    """
    One phone, for use as an asynchronous context manager.

    Args:
        parts: Where the program is.
        directory: For its files; must be its own.
        wav: What the caller says: mono, 16 bit, 8 kHz. At its end baresip hangs up, so pad it with silence.
        codecs: What it offers, PCMU or PCMA.
        account: Its line in `accounts`; by itself a phone that does not register.
        first_rtp_port: It uses this and the next few; captures go by `rtp_ports`.
        life_s: It quits by itself then, whatever becomes of the test.
    """

    def __init__(
        self,
        parts: Parts,
        directory: Path,
        wav: Path,
        *,
        codecs: str = "PCMU",
        account: str | None = None,
        first_rtp_port: int = 20000,
        life_s: float = LIFE_S,
    ) -> None:
        self._parts = parts
        self._directory = directory
        self._wav = wav
        self._codecs = codecs
        self._account = account
        self._life_s = life_s
        self.rtp_ports = range(first_rtp_port, first_rtp_port + 20)
        self.events: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()
        self._program: Program | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        # Ports are looked for and then taken by the phone: somebody may be quicker, or the machine full of work.
        for left in reversed(range(START_TRIES)):
            try:
                await self._start()
                break
            except TimeoutError:
                if not left:
                    raise
        return self

    async def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        recordings = self._directory / "rec"
        shutil.rmtree(recordings, ignore_errors=True)
        recordings.mkdir()
        sip_port, control_port = free_udp_port(), free_tcp_port()
        (self._directory / "config").write_text(
            CONFIG.format(
                sip_port=sip_port,
                wav=self._wav,
                first=self.rtp_ports.start,
                last=self.rtp_ports.stop - 1,
                modules=MODULES,
                control_port=control_port,
                recordings=recordings,
            )
        )
        account = self._account or f"<sip:alice@127.0.0.1:{sip_port}>;regint=0"
        (self._directory / "accounts").write_text(f"{account};audio_codecs={self._codecs}\n")
        (self._directory / "contacts").write_text("")
        self._program = Program(
            # -n with the address keeps it on loopback; the interface's name does not work.
            [str(self._parts.baresip), "-4", "-f", str(self._directory), "-n", "127.0.0.1", "-t", str(round(self._life_s))],
            self._directory / "log",
        )  # fmt: skip
        try:
            await self._connect(control_port)
        except BaseException:
            self._program.stop()
            raise

    async def _connect(self, port: int) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while True:
                try:
                    reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.02)
        self._reader = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take netstrings of JSON: events, and replies to commands."""
        try:
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                body = await reader.readexactly(length + 1)
                self.events.append(json.loads(body[:-1]))
                self._arrived.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def __aexit__(self, *exc: object) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._program is not None:
            await asyncio.to_thread(self._program.stop, STOP_TIMEOUT_S)

    async def _wait_for(self, known: int, timeout_s: float, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(timeout_s):
            while True:
                for event in self.events[known:]:
                    if all(event.get(name) == value for name, value in fields.items()):
                        return event
                self._arrived.clear()
                await self._arrived.wait()

    async def wait_event(self, kind: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """
        Wait for an event of the phone, or take the first one that came: `CALL_ESTABLISHED`, `CALL_CLOSED`, ....

        Raises:
            TimeoutError: None comes.
        """
        return await self._wait_for(0, timeout_s, event=True, type=kind)

    async def command(self, name: str, params: str = "") -> dict[str, Any]:
        """
        Have the phone do something and wait for its reply.

        Raises:
            TimeoutError: It does not reply.
        """
        assert self._writer is not None, "the phone was not started"
        known = len(self.events)
        body = json.dumps({"command": name, "params": params}).encode()
        self._writer.write(b"%d:%b," % (len(body), body))
        return await self._wait_for(known, REPLY_TIMEOUT_S, response=True)

    async def dial(self, uri: str, *, established: bool = True) -> None:
        """
        Call, and wait until the call is up.

        Raises:
            TimeoutError: It does not come up.
        """
        await self.command("dial", uri)
        if established:
            await self.wait_event("CALL_ESTABLISHED")

    async def press(self, digit: str) -> None:
        """Press a key (RFC 4733)."""
        await self.command("sndcode", digit)

    async def hang_up(self) -> None:
        """End the call."""
        await self.command("hangup")

    def heard(self) -> Sound:
        """
        Give what the phone received, after the call: received packets joined, pauses without packets are not in it.

        Raises:
            FileNotFoundError: Nothing was recorded.
        """
        files = sorted((self._directory / "rec").glob("dump-*-dec.wav"))
        if not files:
            raise FileNotFoundError(f"no recording in {self._directory}/rec")
        return read_wav(files[-1])

    @property
    def log(self) -> str:
        """The phone's own log."""
        return (self._directory / "log").read_text(errors="replace")

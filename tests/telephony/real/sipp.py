"""Many phones at once, or one that does as a scenario says: sipp."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Literal, Self

from realtime_core.g711 import ulaw_encode
from tests.telephony.real.parts import Parts
from tests.telephony.real.programs import Program, free_udp_port
from tests.telephony.real.sound import Sound

__all__ = ["Sipp"]

INVITE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
a=sendrecv
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""
MEDIA: Final = """<nop><action><exec rtp_stream="{file},-1,0,PCMU/8000"/></action></nop>
"""
BYE_SENT: Final = """<pause milliseconds="{milliseconds}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""
BYE_AWAITED: Final = """<recv request="BYE" timeout="{milliseconds}"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""


class Sipp:
    """
    Calls of one scenario, for use as an asynchronous context manager.

    Args:
        parts: Where the program is.
        directory: For its files; must be its own.
        sip_port: Asterisk's.
        extension: What is dialled.
        says: What every caller says, over and over, at 8 kHz; `None` sends no RTP at all.
        silent_s: For how long nothing comes before it.
        seconds: How long a call is, or with `ends="callee"` how long at most.
        ends: Who hangs up.
        calls: How many calls.
        rate: How many new ones a second.
        first_rtp_port: Even; all calls share it, Asterisk has a port for each.
    """

    def __init__(
        self,
        parts: Parts,
        directory: Path,
        sip_port: int,
        extension: str,
        *,
        says: Sound | None,
        silent_s: float = 0.0,
        seconds: float,
        ends: Literal["caller", "callee"] = "caller",
        calls: int = 1,
        rate: int = 10,
        first_rtp_port: int = 24000,
    ) -> None:
        self._parts = parts
        self._directory = directory
        self._target = (f"127.0.0.1:{sip_port}", extension)
        self._says = says
        self._silent_s = silent_s
        self._seconds = seconds
        self._ends = ends
        self._calls = calls
        self._rate = rate
        self.rtp_ports = range(first_rtp_port, first_rtp_port + 4)
        self._program: Program | None = None

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        sound = self._directory / "caller.ul"
        scenario = INVITE.replace(
            "{port}", "[media_port]" if self._says is None else "[rtpstream_audio_port]"
        )
        if self._says is not None:
            sound.write_bytes(ulaw_encode(self._says.astype("<i2").tobytes()))
            if self._silent_s:
                scenario += f'<pause milliseconds="{round(self._silent_s * 1000)}"/>\n'
            scenario += MEDIA.replace("{file}", str(sound))
        ending = BYE_SENT if self._ends == "caller" else BYE_AWAITED
        scenario += ending.replace("{milliseconds}", str(round(self._seconds * 1000)))
        file = self._directory / "scenario.xml"
        file.write_text(scenario)
        target, extension = self._target
        self._program = Program(
            [
                str(self._parts.sipp), target, "-sf", str(file), "-s", extension, "-i", "127.0.0.1", "-mi", "127.0.0.1",
                "-p", str(free_udp_port()), "-mp", str(self.rtp_ports.start), "-m", str(self._calls),
                "-l", str(self._calls), "-r", str(self._rate), "-nostdin", "-trace_err",
                "-error_file", str(self._directory / "errors"), "-timeout", f"{round(self._seconds + 60)}s",
            ],
            self._directory / "log",
            cwd=self._directory,
        )  # fmt: skip
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._program is not None:
            await asyncio.to_thread(self._program.stop)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._program is not None, "sipp was not started"
        return self._program.pid

    async def finished(self) -> bool:
        """
        Wait until all calls are over. Returns whether all of them went as the scenario says.

        Raises:
            TimeoutError: They are not, in time.
        """
        assert self._program is not None, "sipp was not started"
        return await asyncio.to_thread(self._program.wait, self._seconds + 70) == 0

    @property
    def log(self) -> str:
        """What it said, and what went wrong."""
        errors = self._directory / "errors"
        said = (self._directory / "log").read_text(errors="replace")[-3000:]
        return said + (errors.read_text(errors="replace") if errors.exists() else "")

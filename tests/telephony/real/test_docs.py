"""The configuration in `docs/telephony-asterisk.md`, as it stands there: a phone that registers, and `realtime serve-calls`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime_telephony.call_record import CallRecord, RefusedCall
from realtime_telephony.routing import read_routing
from realtime_telephony.server import CallServer
from tests.local.sounds import needs_flite
from tests.telephony.fakes.media import eventually
from tests.telephony.real.asterisk import Asterisk
from tests.telephony.real.baresip import Baresip
from tests.telephony.real.calls import MADE
from tests.telephony.real.capture import Capture, RtpPacket
from tests.telephony.real.parts import Parts
from tests.telephony.real.programs import wait_until
from tests.telephony.real.sound import silence, write_wav
from tests.telephony.real.speech import AUDIBLE, loudness

pytestmark = [needs_flite, pytest.mark.timeout(120)]

PAGE = (Path(__file__).parents[3] / "docs" / "telephony-asterisk.md").read_text("utf-8")
SECRET = "a-long-random-text"
OPENAI = '{ provider = "openai", apiKey = "${OPENAI_API_KEY}" }'


def block(name: str) -> str:
    """Give the first block of code after a paragraph that begins with a file's name."""
    found = re.search(rf"^`{re.escape(name)}`.*?^```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


@pytest.fixture(scope="module")
def documented(parts: Parts) -> Iterator[Asterisk]:
    """An Asterisk with the page's files; only addresses and ports are the test's."""
    asterisk = Asterisk(parts)
    ours = {
        "0.0.0.0:5060": f"127.0.0.1:{asterisk.sip_port}",
        "127.0.0.1:8080": f"127.0.0.1:{asterisk.websocket_port}",
        "127.0.0.1:9092": f"127.0.0.1:{asterisk.audiosocket_port}",
    }
    names = ("modules.conf", "pjsip.conf", "websocket_client.conf", "extensions.conf")
    text = {name: block(name) for name in names}
    for old, new in ours.items():
        assert any(old in each for each in text.values()), old
        text = {name: each.replace(old, new) for name, each in text.items()}
    asterisk.files.update(text)
    with asterisk:
        yield asterisk


@pytest.fixture
async def server(
    documented: Asterisk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[CallServer, list[CallRecord | RefusedCall]]:
    monkeypatch.setenv("REALTIME_CALLS_SECRET", SECRET)
    text = block("calls.toml").replace(OPENAI, '{ provider = "local" }')
    text = text.replace("port = 9092", f"port = {documented.audiosocket_port}")
    text = text.replace("port = 8080", f"port = {documented.websocket_port}")
    routing = await asyncio.to_thread(read_routing, text, file="calls.toml", folder=tmp_path)
    await asyncio.to_thread(routing.check)
    records: list[CallRecord | RefusedCall] = []
    return CallServer(routing, on_record=records.append), records


def phone(parts: Parts, asterisk: Asterisk, directory: Path) -> Baresip:
    directory.mkdir()
    account = f"<sip:6001@127.0.0.1:{asterisk.sip_port}>;auth_pass=choose-one;regint=60"
    wav = write_wav(directory / "says.wav", silence(60, 8000))
    return Baresip(parts, directory, wav, account=account)


def is_loud(packet: RtpPacket) -> bool:
    return loudness(packet) > AUDIBLE


async def registered(asterisk: Asterisk) -> None:
    """Wait for the phone; baresip has registered before anybody can ask it."""
    await asyncio.to_thread(
        wait_until,
        lambda: "6001/sip:6001" in asterisk.rx("pjsip show contacts"),
        10,
        "the phone to register",
    )


@pytest.mark.parametrize(
    ("extension", "route"), [("100", "restaurant"), ("200", "default"), ("201", "default")]
)
async def test_the_pages_phone_reaches_the_pages_server(
    parts: Parts,
    documented: Asterisk,
    server: tuple[CallServer, list[CallRecord | RefusedCall]],
    capture: Capture,
    tmp_path: Path,
    extension: str,
    route: str,
) -> None:
    ours, records = server
    async with ours, phone(parts, documented, tmp_path / "phone") as caller:
        await registered(documented)
        await caller.dial(documented.uri(extension))
        await eventually(lambda: len(ours.calls) == 1)
        MADE.append(ours.calls[0].info.call_id)
        await eventually(lambda: any(map(is_loud, capture.sent_to(caller.rtp_ports))))
        await asyncio.sleep(1)  # of the greeting
        await caller.hang_up()
        await caller.wait_event("CALL_CLOSED")
        await eventually(lambda: len(records) == 1)
    (record,) = records
    assert isinstance(record, CallRecord), record
    assert (record.route, record.ended_by, record.error) == (route, "caller", None)
    assert np.abs(caller.heard()).max() > AUDIBLE
    assert documented.is_idle()


async def test_where_nobody_takes_a_call_the_dialplan_goes_on(
    parts: Parts, documented: Asterisk, tmp_path: Path
) -> None:
    async with phone(parts, documented, tmp_path / "phone") as caller:
        await registered(documented)
        for extension in ("100", "201"):
            caller.events.clear()
            await caller.dial(documented.uri(extension), established=False)
            closed = await caller.wait_event("CALL_CLOSED")
            assert "Busy" in closed["param"], closed
        caller.events.clear()
        await caller.dial(documented.uri("200"))
        await caller.wait_event("CALL_CLOSED")
    assert "after 1 tries" in await asyncio.to_thread(lambda: documented.log)

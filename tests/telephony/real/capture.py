"""Every RTP packet that crosses loopback, with the time the kernel saw it: what a phone was really sent, and when."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time
from typing import Final, Self

from attrs import field, frozen

__all__ = ["Capture", "RtpPacket"]

_ETH_P_ALL: Final = 0x0003
_SO_ATTACH_FILTER: Final = 26
_SO_RCVBUFFORCE: Final = 33
_SO_TIMESTAMPNS: Final = 35
_PACKET_OUTGOING: Final = 4
_PACKET_STATISTICS: Final = 6
_SOL_PACKET: Final = 263
_BUFFER_BYTES: Final = 32 * 1024 * 1024
_IDLE_S: Final = 0.1
_SNAPSHOT_BYTES: Final = 2048
# IPv4 and UDP, in the kernel, so that our own TCP traffic costs nothing here.
_UDP_ONLY: Final = (
    (0x28, 0, 0, 12),  # ldh [12]
    (0x15, 0, 3, 0x0800),  # jeq #ip
    (0x30, 0, 0, 23),  # ldb [23]
    (0x15, 0, 1, 17),  # jeq #udp
    (0x06, 0, 0, 0x40000),  # ret all
    (0x06, 0, 0, 0),  # ret none
)


def _udp_to(ports: range) -> tuple[tuple[int, int, int, int], ...]:
    """The same for a range of destination ports."""
    return (
        (0x28, 0, 0, 12),  # ldh [12]
        (0x15, 0, 7, 0x0800),  # jeq #ip
        (0x30, 0, 0, 23),  # ldb [23]
        (0x15, 0, 5, 17),  # jeq #udp
        (0xB1, 0, 0, 14),  # ldxb 4*([14]&0xf)
        (0x48, 0, 0, 16),  # ldh [x + 16]
        (0x35, 0, 2, ports.start),  # jge
        (0x25, 1, 0, ports.stop - 1),  # jgt
        (0x06, 0, 0, 0x40000),  # ret all
        (0x06, 0, 0, 0),  # ret none
    )


@frozen(kw_only=True)
class RtpPacket:
    """One packet of audio on its way."""

    time_s: float
    """When the kernel took it, on `time.monotonic()`, which is the event loop's clock too."""
    source_port: int
    destination_port: int
    payload_type: int
    sequence: int
    timestamp: int
    marker: bool
    payload: bytes = field(repr=False)


def _parse(data: bytes, time_s: float) -> RtpPacket | None:
    """Read an Ethernet frame of IPv4 and UDP; anything that is not RTP is none of ours."""
    udp = 14 + 4 * (data[14] & 0x0F)
    rtp = udp + 8
    if len(data) < rtp + 12 or data[rtp] >> 6 != 2:
        return None
    payload_type = data[rtp + 1] & 0x7F
    if 64 <= payload_type <= 95:  # RTCP (RFC 5761)
        return None
    source, destination = struct.unpack_from("!HH", data, udp)
    sequence, timestamp = struct.unpack_from("!HI", data, rtp + 2)
    return RtpPacket(
        time_s=time_s,
        source_port=source,
        destination_port=destination,
        payload_type=payload_type,
        sequence=sequence,
        timestamp=timestamp,
        marker=bool(data[rtp + 1] & 0x80),
        payload=data[rtp + 12 + 4 * (data[rtp] & 0x0F) :],
    )


class Capture:
    """
    A capture of loopback, for use as a context manager; needs root.

    Args:
        ports: Where packets must go to be kept; anywhere otherwise.
    """

    def __init__(self, ports: range | None = None) -> None:
        self._filter = _UDP_ONLY if ports is None else _udp_to(ports)
        self._packets: list[RtpPacket] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        program = b"".join(struct.pack("HBBI", *instruction) for instruction in self._filter)
        self._program = ctypes.create_string_buffer(program)  # read at setsockopt
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HL", len(self._filter), ctypes.addressof(self._program)),
        )
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.setblocking(False)
        self._socket.bind(("lo", _ETH_P_ALL))
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._drain()
        self._socket.close()

    def _run(self) -> None:
        # The kernel has the times: nothing is lost by looking seldom, and little is taken from what is measured.
        while not self._stop.wait(_IDLE_S):
            self._drain()

    def _drain(self) -> None:
        with self._lock:
            offset = time.time() - time.monotonic()
            while True:
                try:
                    data, ancillary, _, address = self._socket.recvmsg(_SNAPSHOT_BYTES, 64)
                except (BlockingIOError, OSError):
                    return
                if address[2] != _PACKET_OUTGOING or not ancillary:  # loopback shows each twice
                    continue
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
                packet = _parse(data, seconds + nanoseconds / 1e9 - offset)
                if packet is not None:
                    self._packets.append(packet)

    def sent_to(self, ports: range) -> list[RtpPacket]:
        """Give what was sent so far to a range of ports, the one of a phone, in order."""
        if self._thread.is_alive():
            self._drain()
        with self._lock:
            return [packet for packet in self._packets if packet.destination_port in ports]

    def clear(self) -> None:
        """Forget what was sent so far."""
        with self._lock:
            self._packets.clear()

    @property
    def dropped(self) -> int:
        """How many packets the kernel could not keep since the last look; ask it before the end."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[1])

"""
Run an Asterisk by hand: `python -m tests.telephony.real [AudioSocket port] [WebSocket port]`, Ctrl-C stops it.

It prints what to dial, and a command for baresip.
"""

from __future__ import annotations

import signal
import sys

from tests.telephony.real.asterisk import Asterisk
from tests.telephony.real.asterisk_config import FORMATS
from tests.telephony.real.parts import MissingPartsError, install


def main() -> int:
    """Run until told to stop."""
    ports = [int(argument) for argument in sys.argv[1:3]]
    try:
        parts = install()
    except MissingPartsError as error:
        print(f"the real parts cannot be had: {error}", file=sys.stderr)
        return 3
    asterisk = Asterisk(
        parts,
        audiosocket_port=ports[0] if ports else None,
        websocket_port=ports[1] if len(ports) > 1 else None,
    )
    with asterisk:
        print(
            f"Asterisk {parts.asterisk_version}, process {asterisk.pid}, files in {asterisk.directory}\n"
            f"AudioSocket calls go to 127.0.0.1:{asterisk.audiosocket_port}: dial audiosocket, audiosocket-bare or"
            f" audiosocket-<{'|'.join(FORMATS)}>\n"
            f"WebSocket calls go to ws://127.0.0.1:{asterisk.websocket_port}{asterisk.websocket_path}: dial"
            f" ws-<format> (JSON) or wsplain-<format>, also ulaw and alaw\n"
            f"without us: dial echo or prompt; for example sip:ws-slin16@127.0.0.1:{asterisk.sip_port}",
            flush=True,
        )
        # Blocked only now: programs inherit what is blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())

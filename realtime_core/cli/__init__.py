"""
The command `realtime`, on click and rich (extra `cli`).

Its subcommands are found by the entry-point group `realtime.commands`; any wheel may add some.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

_NEEDED = ("click", "rich")


def main() -> None:
    """
    Run the command; the console script.

    Ends the process: 0 for success, 1 for a failure, 2 for a wrong use or a missing extra, 130 for Ctrl-C.
    """
    if not all(map(find_spec, _NEEDED)):
        sys.stderr.write("realtime needs the extra: pip install 'realtime-core[cli]'\n")
        sys.exit(2)

    try:
        from realtime_core.cli.commands import run  # only now is click known to be there
    except KeyboardInterrupt:
        sys.exit(130)

    sys.exit(run())

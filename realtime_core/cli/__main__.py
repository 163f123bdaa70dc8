"""Lets `python -m realtime_core.cli` do what `realtime` does."""

from realtime_core.cli import main

main()

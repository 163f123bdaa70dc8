"""The repliers that come with the wheel."""

from __future__ import annotations

from realtime_local.chat import ChatReplier, ChatTimeouts
from realtime_local.parrot import ParrotReplier
from realtime_local.script_replier import ScriptReplier

__all__ = ["ChatReplier", "ChatTimeouts", "ParrotReplier", "ScriptReplier"]

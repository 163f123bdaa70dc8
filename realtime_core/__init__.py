"""Full-duplex voice models behind one small interface; vendors come as wheels of their own."""

from realtime_core.agent import Agent
from realtime_core.capabilities import Capabilities
from realtime_core.describe import ProviderInfo, describe_providers
from realtime_core.errors import (
    AgentClosedError,
    AgentStateError,
    ConfigError,
    ConnectError,
    ErrorKind,
    ProviderConflictError,
    ProviderLoadError,
    RealtimeError,
    RemoteProtocolError,
    SessionLostError,
    UnknownProviderError,
    UnsupportedError,
    VendorError,
)
from realtime_core.events import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    EventType,
    Interrupted,
    SessionClose,
    SessionOpen,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.factory import new_agent_from_credential
from realtime_core.options import Options, SemanticVAD, ServerVAD
from realtime_core.registry import (
    Provider,
    lookup,
    register,
    registered_providers,
    unregister,
)
from realtime_core.stats import SessionStats
from realtime_core.tools import Tool, ToolHandler, tools_for_session
from realtime_core.usage import Transcription, Usage

__all__ = [
    "Agent",
    "AgentClosedError",
    "AgentStateError",
    "AssistantAudio",
    "AssistantText",
    "AssistantTurnEnd",
    "Capabilities",
    "ConfigError",
    "ConnectError",
    "ErrorEvent",
    "ErrorKind",
    "Event",
    "EventType",
    "Interrupted",
    "Options",
    "Provider",
    "ProviderConflictError",
    "ProviderInfo",
    "ProviderLoadError",
    "RealtimeError",
    "RemoteProtocolError",
    "SemanticVAD",
    "ServerVAD",
    "SessionClose",
    "SessionLostError",
    "SessionOpen",
    "SessionStats",
    "Tool",
    "ToolCall",
    "ToolHandler",
    "Transcription",
    "UnknownProviderError",
    "UnsupportedError",
    "Usage",
    "UserSpeechEnded",
    "UserSpeechStarted",
    "UserTranscript",
    "VendorError",
    "describe_providers",
    "lookup",
    "new_agent_from_credential",
    "register",
    "registered_providers",
    "tools_for_session",
    "unregister",
]

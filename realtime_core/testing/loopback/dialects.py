"""What differs between the wires, as data."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

__all__ = ["DIALECTS", "FACTS", "DialectFacts"]


@frozen(kw_only=True)
class DialectFacts:
    """
    One dialect the loopback vendor speaks.

    Attributes:
        name: The public name, one of `DIALECTS`.
        provider: The provider slug a credential for it names.
        family: Whose rules, error codes and handshake apply.
        path: Path of the base URL; clients append `/realtime` where `appends_realtime`.
        model: A model name this dialect accepts.
        appends_realtime: The base URL of the vendor lacks the last path segment.
        ga_events: Event and content names of OpenAI GA, else those of the beta.
        ga_session: The session object of OpenAI GA, else the flat one.
        azure: Azure's handshake: key in `api-key` or Bearer, refusals as HTTP statuses.
        nested_audio: The `audio` object is the session's own shape (qwen3.8).
        keeps_item_ids: Item ids chosen by the client survive.
        finishes: `session.finish` exists.
        finish_acknowledged: `session.finished` answers it.
    """

    name: str
    provider: Literal["openai", "aliyun_omni"]
    family: Literal["openai", "dashscope"]
    path: str
    model: str
    appends_realtime: bool = True
    ga_events: bool = False
    ga_session: bool = False
    azure: bool = False
    nested_audio: bool = False
    keeps_item_ids: bool = True
    finishes: bool = False
    finish_acknowledged: bool = False

    @property
    def openai(self) -> bool:
        """True for OpenAI, Azure and servers compatible with them."""
        return self.family == "openai"

    @property
    def qwen_audio(self) -> bool:
        """True for the Qwen-Audio-Realtime family."""
        return self.name == "qwen_audio"

    def output(self, tail: str) -> str:
        """Return the event name of assistant output, e.g. *tail* `audio.delta`."""
        return f"response.output_{tail}" if self.ga_events else f"response.{tail}"


_OMNI_PATH = "api-ws/v1/realtime"

_ALL = (
    DialectFacts(
        name="openai_ga",
        provider="openai",
        family="openai",
        path="openai_ga/v1",
        model="gpt-realtime-2.1",
        ga_events=True,
        ga_session=True,
    ),
    DialectFacts(
        name="openai_beta",
        provider="openai",
        family="openai",
        path="openai_beta/v1",
        model="gpt-4o-realtime-preview",
    ),
    DialectFacts(
        name="azure_ga",
        provider="openai",
        family="openai",
        path="azure_ga/openai/v1",
        model="my-realtime-deployment",
        ga_events=True,
        ga_session=True,
        azure=True,
    ),
    DialectFacts(
        name="dashscope_omni",
        provider="aliyun_omni",
        family="dashscope",
        path=f"dashscope_omni/{_OMNI_PATH}",
        model="qwen3.5-omni-flash-realtime",
        appends_realtime=False,
        keeps_item_ids=False,
        finishes=True,
        finish_acknowledged=True,
    ),
    DialectFacts(
        name="dashscope_omni_nested",
        provider="aliyun_omni",
        family="dashscope",
        path=f"dashscope_omni_nested/{_OMNI_PATH}",
        model="qwen3.8-omni-flash-realtime",
        appends_realtime=False,
        nested_audio=True,
        keeps_item_ids=False,
        finishes=True,
    ),
    DialectFacts(
        name="qwen_audio",
        provider="aliyun_omni",
        family="dashscope",
        path=f"qwen_audio/{_OMNI_PATH}",
        model="qwen-audio-3.0-realtime-plus",
        appends_realtime=False,
    ),
)

FACTS: dict[str, DialectFacts] = {facts.name: facts for facts in _ALL}
"""The facts of each dialect by name."""

DIALECTS: tuple[str, ...] = tuple(FACTS)
"""Names of the wires the loopback vendor speaks."""

"""Every dialect a wheel ships, and a wire for it that tells a `Watch` what passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import field, frozen

from realtime_aliyun._dialect import OMNI_FLAT, OMNI_NESTED, QWEN_AUDIO
from realtime_core import AssistantTurnEnd, Options
from realtime_core.backends.codec import FAST_CODEC
from realtime_core.wire import Codec, Dialect, Effect, OpenAIWire, SessionSettings, WireState
from realtime_openai._dialect import AZURE_GA, OPENAI_BETA, OPENAI_GA, with_g711
from tests.properties.profiles import IS_LONG
from tests.properties.watch import Watch


@frozen
class Case:
    name: str
    dialect: Dialect = field(repr=False)
    recorded: str
    """Name of the recording in `tests/frames`."""

    @property
    def ga_names(self) -> bool:
        return bool(self.dialect.fixed)

    @property
    def dashscope(self) -> bool:
        return self.dialect.tool_style == "nested"


CASES = (
    Case("openai_ga", OPENAI_GA, "openai_ga"),
    Case("openai_ga_g711", with_g711(OPENAI_GA, "ulaw"), "openai_ga_g711"),
    Case("openai_beta", OPENAI_BETA, "openai_beta"),
    Case("azure_ga", AZURE_GA, "azure_ga"),
    Case("dashscope_omni", OMNI_FLAT, "dashscope_omni"),
    Case("dashscope_omni_nested", OMNI_NESTED, "dashscope_omni_nested"),
    Case("qwen_audio", QWEN_AUDIO, "qwen_audio"),
)


class WatchedWire(OpenAIWire):
    """The wire itself; all that goes in and out is shown to the watch."""

    def __init__(self, case: Case, options: Options, codec: Codec = FAST_CODEC) -> None:
        super().__init__(
            vendor="vendor",
            dialect=case.dialect,
            settings=SessionSettings(instructions="You work for ACME."),
            options=options,
            codec=codec,
        )
        self.watch = Watch(case.dialect, codec.loads)
        self.failure: AssertionError | None = None
        """The first thing that may not be; a session would take it for a bug of its own and end."""

    def receive(self, frame: bytes, now: float) -> None:
        if self.state is not WireState.CLOSED:
            with self._looking():
                self.watch.fed(frame, opened=self.state is WireState.OPEN)
        super().receive(frame, now)

    def take_frames(self) -> list[bytes]:
        frames = super().take_frames()
        with self._looking():
            # Frames are taken first, but a request goes out behind the end of the reply before it.
            for effect in self._effects:
                if isinstance(effect, AssistantTurnEnd):
                    self.watch.gives_up(effect.response_id)
            self.watch.sent(frames)
        return frames

    def take_effects(self) -> list[Effect]:
        effects = super().take_effects()
        with self._looking():
            self.watch.output_rate_hz = self.output_rate_hz
            self.watch.happened(effects)
        return effects

    @contextmanager
    def _looking(self) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.failure = self.failure or error
            raise


def groups() -> list[tuple[Case, ...]]:
    """What one run goes over: every dialect by itself in the long session, all of them drawn from otherwise."""
    return [(case,) for case in CASES] if IS_LONG else [CASES]


def named(value: Case | tuple[Case, ...]) -> str:
    """Name a case or a group of them for pytest."""
    cases = value if isinstance(value, tuple) else (value,)
    return cases[0].name if len(cases) == 1 else "all"

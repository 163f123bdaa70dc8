"""The public API as the author of a provider types it. Only checked, never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import realtime_core as rt
from realtime_core import Agent, Options, Provider


def provide(credential: Mapping[str, Any], options: Options) -> Agent:
    raise NotImplementedError


class Provide:
    """A provider may be any callable."""

    def __call__(self, credential: Mapping[str, Any], options: Options) -> Agent:
        raise NotImplementedError


def wrong(credential: str) -> Agent:
    raise NotImplementedError


as_function: Provider = provide
as_object: Provider = Provide()
rt.register(provide, "mine", "mine_too")
rt.register(Provide(), "mine")
rt.register(wrong, "mine")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
rt.unregister("mine", "mine_too")

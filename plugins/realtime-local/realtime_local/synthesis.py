"""Which engine speaks: one by name, or the first that is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, cast

from realtime_core.errors import ConfigError

from .engines import Synthesiser
from .espeak import EspeakLibrarySynthesiser, EspeakSynthesiser
from .flite import FliteSynthesiser
from .loading import load_object

__all__ = ["SYNTHESISERS", "find_synthesiser"]


@cache
def _espeak_library() -> EspeakLibrarySynthesiser:
    """Share the one that keeps processes: sessions come and go, and few speak at the same moment."""
    return EspeakLibrarySynthesiser()


SYNTHESISERS: Final[Mapping[str, Callable[[], Synthesiser]]] = MappingProxyType(
    {
        "flite": FliteSynthesiser,
        "espeak-ng": EspeakSynthesiser,
        "espeak-library": _espeak_library,
    }
)
"""The engines by name, in the order they are looked for."""


def find_synthesiser(name: str | None = None) -> Synthesiser:
    """
    Make a synthesiser.

    Args:
        name: One of `SYNTHESISERS`, or `package.module:factory` of one's own, called without arguments; `None` for
            the first engine found.

    Raises:
        ConfigError: Nothing is found (says what to install), or nothing is called so.
    """
    if name is None:
        return _first()
    if ":" in name:
        return cast("Synthesiser", load_object(name, "synthesiser")())
    if name not in SYNTHESISERS:
        raise ConfigError(
            f"synthesiser: expected {', '.join(SYNTHESISERS)} or 'package.module:factory', got {name!r}"
        )
    return SYNTHESISERS[name]()


def _first() -> Synthesiser:
    for make in SYNTHESISERS.values():
        try:
            return make()
        except ConfigError:
            continue
    raise ConfigError(
        "no speech engine found; expected one of: flite on PATH (`apt install flite`), espeak-ng on PATH "
        "(`apt install espeak-ng`), the espeak-ng library (`pip install 'realtime-local[espeak]'`, GPL-3)"
    )

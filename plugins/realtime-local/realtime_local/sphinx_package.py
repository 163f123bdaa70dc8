"""Where pocketsphinx and its models are; the package is looked for and never imported into the application."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from realtime_core.errors import ConfigError

__all__ = ["model_folder", "package_folder"]


def package_folder() -> Path:
    """
    Find the package.

    Raises:
        ConfigError: It is not installed.
    """
    spec = find_spec("pocketsphinx")
    if spec is None or spec.origin is None:
        raise ConfigError("recognition needs pocketsphinx; expected `pip install realtime-local`")
    return Path(spec.origin).parent


def model_folder() -> Path:
    """
    Find the models: in the package, or where POCKETSPHINX_PATH says, as for pocketsphinx itself.

    Raises:
        ConfigError: pocketsphinx is not installed.
    """
    chosen = os.environ.get("POCKETSPHINX_PATH")
    return Path(chosen) if chosen else package_folder() / "model"

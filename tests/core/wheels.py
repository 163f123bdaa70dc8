"""Installed wheels as the import system sees them: a `.dist-info` folder and a module."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from attrs import define

_PROVIDER = "def provide(credential, options):\n    return ('agent of', __name__, options)\n"
_serial = itertools.count()


@define
class Wheels:
    """
    Installs wheels into a folder of the search path.

    Args:
        site: The folder.
    """

    site: Path

    def install(
        self,
        name: str,
        slugs: Mapping[str, str] | tuple[str, ...],
        *,
        version: str = "1.0",
        source: str = _PROVIDER,
        metadata: bool = True,
    ) -> str:
        """
        Install a wheel with one module.

        Args:
            name: Of the distribution.
            slugs: Slugs, or objects of the module by slug.
            version: Of the distribution.
            source: Of the module.
            metadata: Whether its METADATA survived.

        Returns:
            Name of the module, new for every wheel.
        """
        module = f"fake_{name.replace('-', '_')}_{next(_serial)}"
        (self.site / f"{module}.py").write_text(source)
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        if metadata:
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
        objects = slugs if isinstance(slugs, Mapping) else dict.fromkeys(slugs, "provide")
        lines = [f"{slug} = {module}:{target}\n" for slug, target in objects.items()]
        (info / "entry_points.txt").write_text("[realtime.providers]\n" + "".join(lines))
        return module

"""The wheels of this checkout, and environments to install them into."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.packaging.environment import Environment, build_wheel
from tests.packaging.source_tree import PROJECTS, package_of


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give the wheel of every project: those in REALTIME_WHEELS, else built from copies of the sources."""
    given = os.environ.get("REALTIME_WHEELS")
    if given:
        found = {path.name.partition("-")[0]: path for path in Path(given).glob("*.whl")}
        return {project: found[package_of(project)] for project in PROJECTS}
    built: dict[str, Path] = {}
    for project, folder in PROJECTS.items():
        work = tmp_path_factory.mktemp(project)
        # A copy, so that a build leaves nothing behind in the checkout.
        shutil.copytree(
            folder,
            work / "source",
            ignore=shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "docs"),
        )
        built[project] = build_wheel(work / "source", work / "dist")
    return built


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Give an empty virtual environment: nothing in it but the standard library."""
    return Environment(tmp_path / "environment")

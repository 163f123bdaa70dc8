"""
Clean virtual environments without a network.

Our own wheels are installed by pip. What they declare to need is taken over from the environment the tests
run in, distribution by distribution, as links: a dependency that a wheel forgets to declare is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def _run(*command: str | Path, cwd: Path | None = None, check: bool = True) -> str:
    keep = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))
    }
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=keep,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def build_wheel(source: Path, dist: Path) -> Path:
    """Build the project in a folder with the hatchling at hand."""
    _run(sys.executable, "-P", "-m", "hatchling", "build", "-t", "wheel", "-d", dist, cwd=source)
    (wheel,) = dist.glob("*.whl")
    return wheel


def write_project(
    folder: Path,
    *,
    name: str,
    modules: dict[str, str],
    slugs: dict[str, str],
    dependencies: tuple[str, ...] = ("realtime-core>=0.1,<0.2",),
) -> Path:
    """
    Write a complete third-party project.

    Args:
        folder: Where; made here.
        name: Of the distribution; the package's name follows from it.
        modules: Source by file name.
        slugs: Entry points of the group `realtime.providers`.
        dependencies: What it declares to need.

    Returns:
        The folder.
    """
    package = folder / name.replace("-", "_")
    package.mkdir(parents=True)
    for file, source in modules.items():
        (package / file).write_text(source, "utf-8")
    lines = [f'"{slug}" = "{target}"' for slug, target in slugs.items()]
    (folder / "pyproject.toml").write_text(
        f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "1.2.3"
dependencies = {list(dependencies)}

[project.entry-points."realtime.providers"]
{os.linesep.join(lines)}
""",
        "utf-8",
    )
    return folder


class Environment:
    """A virtual environment that holds what was installed into it, and what that declares to need."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.scripts = folder / "bin"
        self._site = Path(
            self.run("import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )

    def install(self, *wheels: Path, extras: tuple[str, ...] = ()) -> None:
        """Install wheels as they are, and link their dependencies; extras are those of the first wheel."""
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check")
        _run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", *wheels)
        names = [canonicalize_name(wheel.name.partition("-")[0]) for wheel in wheels]
        for name in names:
            self._link_needs(self._installed(name), extras if name == names[0] else ())

    def run(self, program: str, *, check: bool = True) -> str:
        """Run statements in the environment and give what they print."""
        return _run(self.python, "-P", "-W", "error", "-c", program, check=check)

    def run_file(self, program: Path, *arguments: str) -> str:
        """Run a program in the environment and give what it prints."""
        return _run(self.python, "-P", "-W", "error", program, *arguments)

    def script(self, name: str, *arguments: str) -> str:
        """Run an installed command and give what it prints."""
        return _run(self.scripts / name, *arguments)

    def _installed(self, name: str) -> Distribution:
        return next(iter(Distribution.discover(name=name, path=[str(self._site)])))

    def _link_needs(self, dist: Distribution, extras: tuple[str, ...]) -> None:
        for line in dist.requires or ():
            need = Requirement(line)
            chosen = extras or ("",)
            if need.marker and not any(need.marker.evaluate({"extra": extra}) for extra in chosen):
                continue
            if canonicalize_name(need.name) == canonicalize_name(dist.name):
                self._link_needs(dist, tuple(need.extras))  # an extra that names another one
            elif need.name.startswith("realtime-"):
                self._link_needs(self._installed(need.name), tuple(need.extras))
            else:
                self._link(distribution(need.name), tuple(need.extras))

    def _link(self, dist: Distribution, extras: tuple[str, ...]) -> None:
        fresh = False
        for file in dist.files or ():
            top = file.parts[0]
            link = self._site / top
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(Path(str(dist.locate_file(top))))
                fresh = True
        if fresh:
            self._link_needs(dist, extras)

"""Every check of the project, one session each; `nox -l` lists them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "types", "docs", "tests", "wheels"]

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PLUGINS = tuple(f"plugins/realtime-{name}" for name in ("openai", "aliyun", "local", "telephony"))
PACKAGES = (
    "realtime_core",
    "realtime_openai",
    "realtime_aliyun",
    "realtime_local",
    "realtime_telephony",
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# Local paths always in one command, so that the resolver never looks outside for the core.
EXTRAS = {"plugins/realtime-local": "[chat,espeak,silero]"}
EDITABLES = (
    "-e",
    ".[cli,testing]",
    *(part for plugin in PLUGINS for part in ("-e", plugin + EXTRAS.get(plugin, ""))),
)


# Half of the tests' time is waiting, so two a core do well. A file stays together: a page's blocks build on each other.
SIDE_BY_SIDE = ("-n", "4", "--dist", "loadfile")
# What is looked for at length, in protocols or by ear, does not depend on how the packages came.
LENGTHY = (
    "properties",
    "quirks",
    "audio/test_ten_minutes.py",
    "local/test_acceptance.py",
    "local/test_demo_dialogue.py",
)


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, name)


def _extras(package: str) -> str:
    """The extras the tests want of a package."""
    if package == "realtime_core":
        return "[cli,testing]"
    return EXTRAS.get(f"plugins/{package.replace('_', '-')}", "")


def _environment(session: nox.Session) -> dict[str, str | None]:
    """Put the session's environment first on PATH and keep import paths of the caller out."""
    path = os.pathsep.join([*(session.bin_paths or ()), os.environ.get("PATH", "")])
    return {"PATH": path, "PYTHONPATH": None}


def _pytest(session: nox.Session) -> None:
    session.install(*EDITABLES, *_group("test"))
    everything = ("--cov", "--cov-report=term", *SIDE_BY_SIDE)
    session.run("pytest", *(session.posargs or everything), env=_environment(session))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests against editable installs, with branch coverage."""
    _pytest(session)


@nox.session(python=PYTHONS, default=False)
def versions(session: nox.Session) -> None:
    """Run the tests on one Python version, `versions-3.13` for example."""
    _pytest(session)


@nox.session
def wheels(session: nox.Session) -> None:
    """
    Build sdists and wheels, install the wheels, run the tests against them from elsewhere, with branch coverage.

    What is `LENGTHY`, and the code blocks of the documentation, are left to the plain run.
    """
    session.install("build", *PYPROJECT["build-system"]["requires"])
    temporary = Path(session.create_tmp()).resolve()
    dist = temporary / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for project in (".", *PLUGINS):
        # The wheel is built from the sdist, so that an incomplete sdist shows.
        session.run(
            "python", "-m", "build", "--no-isolation", "--outdir", str(dist), project, silent=True
        )

    wheel = {path.name.split("-")[0]: path for path in dist.glob("*.whl")}
    requirements = [
        f"{name.replace('_', '-')}{_extras(name)} @ {wheel[name].as_uri()}" for name in PACKAGES
    ]
    session.install("--force-reinstall", "--no-deps", *requirements)
    session.install(*requirements, *_group("test"))

    lengthy = [f"--ignore={ROOT / 'tests' / path}" for path in LENGTHY]
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    environment = {**_environment(session), "REALTIME_WHEELS": str(dist)}
    configuration = f"--cov-config={ROOT / 'pyproject.toml'}"
    coverage = () if session.posargs else ("--cov", "--cov-report=term", configuration)
    with session.chdir(elsewhere):
        session.run(
            "python", "-P", "-c",
            "import sys\n"
            f"for name in {PACKAGES!r}:\n"
            "    where = __import__(name).__file__\n"
            "    assert where.startswith(sys.prefix), f'{name} comes from {where}, not from its wheel'\n",
        )  # fmt: skip
        session.run(
            "python", "-P", "-m", "pytest",
            "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider",
            *SIDE_BY_SIDE, *coverage, *(session.posargs or [str(ROOT / "tests"), *lengthy]),
            env=environment,
        )  # fmt: skip


@nox.session
def types(session: nox.Session) -> None:
    """Check types: mypy and pyright over everything, completeness of each package's public types."""
    session.install(*EDITABLES, *_group("types"))
    environment = _environment(session)
    session.run("mypy", env=environment)
    session.run("pyright", env=environment)
    for package in PACKAGES:
        session.run("pyright", "--verifytypes", package, "--ignoreexternal", env=environment)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, metadata and the changelog fragments."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run(
        "validate-pyproject", "pyproject.toml", *(f"{plugin}/pyproject.toml" for plugin in PLUGINS)
    )
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)
    upstream = session.run(
        "git", "rev-parse", "--quiet", "--verify", "origin/main",
        external=True, silent=True, success_codes=[0, 1, 128],
    )  # fmt: skip
    if upstream and len(upstream.strip()) == 40:
        session.run("towncrier", "check", "--compare-with", "origin/main")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings are errors; `pytest docs README.md` runs the code blocks."""
    session.install(*EDITABLES, *_group("docs"))
    out = Path(session.create_tmp()).resolve() / "html"
    session.run("sphinx-build", "-n", "-W", "--keep-going", "-q", "-b", "html", "docs", str(out))
    session.log("documentation: %s", out / "index.html")


def _real_parts(session: nox.Session) -> dict[str, str | None]:
    """Install what real calls need, and skip the session with the reason where that cannot be had."""
    session.install(*EDITABLES, *_group("test"))
    environment = {**_environment(session), "REALTIME_CALLS": "1"}
    said = session.run(
        "python", "-m", "tests.telephony.real.parts",
        env=environment, silent=True, success_codes=[0, 3],
    )  # fmt: skip
    session.log("%s", str(said).strip())
    if "cannot be had" in str(said):
        if os.environ.get("REALTIME_CALLS_REQUIRED") == "1":
            session.error("real calls are required here")
        session.skip(str(said).strip())
    return environment


@nox.session(default=False)
def calls(session: nox.Session) -> None:
    """
    Make real telephone calls over a real Asterisk; installs it in a root of its own, baresip, sipp and flite too. Needs root and apt.

    Skips with the reason where they cannot be had, and fails there with REALTIME_CALLS_REQUIRED=1.
    """
    environment = _real_parts(session)
    session.run("pytest", "-s", *(session.posargs or ["tests/telephony/real"]), env=environment)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """
    Measure real calls: one of ten minutes, twenty at once, and as many as go; half an hour. Needs what `calls` needs.

    Prints a report, and fails when a limit is missed. `nox -s soak -- parallel --calls 40` runs a part.
    """
    environment = _real_parts(session)
    session.run("python", "-m", "tests.telephony.soak", *session.posargs, env=environment)


@nox.session(default=False)
def properties(session: nox.Session) -> None:
    """Look for broken properties at length: 5,000 conversations and 100,000 damaged frames a dialect, half an hour."""
    session.install(*EDITABLES, *_group("test"))
    environment = {**_environment(session), "HYPOTHESIS_PROFILE": "long"}
    session.run("pytest", "-s", "tests/properties", *session.posargs, env=environment)


@nox.session(default=False)
def witnesses(session: nox.Session) -> None:
    """Let pipecat's serializers and the vendors' own packages judge the media streams; installs 520 MB."""
    session.install(*_group("witnesses"))
    # pipecat pins soxr 1.0, which has no vr=; it only needs to be imported beside ours.
    plugins = [part for path in sorted(ROOT.glob("plugins/*")) for part in ("-e", str(path))]
    session.install("--no-deps", "soxr>=1.1", "-e", ".", *plugins)
    session.run(
        "pytest", "-m", "witnesses", "tests/telephony/witnesses", *session.posargs,
        env=_environment(session),
    )  # fmt: skip


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Run the benchmarks (by name only: the figures need a quiet machine)."""
    session.install(*EDITABLES, *_group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False, venv_backend="uv")
def floor(session: nox.Session) -> None:
    """Run the tests with the lowest versions of the direct dependencies."""
    # Only what the wheels declare is lowered; the test tools are resolved as usual.
    session.install("--resolution", "lowest-direct", *EDITABLES)
    frozen = session.run("uv", "pip", "freeze", "--exclude-editable", silent=True) or ""
    constraints = Path(session.create_tmp()).resolve() / "floor.txt"
    constraints.write_text("".join(f"{line}\n" for line in frozen.splitlines() if "==" in line))
    session.install(*EDITABLES, *_group("test"), "-c", str(constraints))
    session.run("pytest", *session.posargs, env=_environment(session))


if __name__ == "__main__":
    nox.main()

"""
The real parts of the call tests: Asterisk in a throw-away root; baresip, sipp and flite from Debian.

Asterisk 22 is in Debian's testing and unstable only, so it lives in a chroot that is made once and kept in a cache:
`$REALTIME_CALLS_CACHE`, otherwise `~/.cache/realtime-calls`. `python -m tests.telephony.real.parts` does it by hand.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

__all__ = ["MissingPartsError", "Parts", "cache_directory", "find", "install"]

SUITES: Final = ("sid", "testing")
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ASTERISK_PACKAGES: Final = "asterisk,asterisk-core-sounds-en-gsm"
# Program that shows that the package is there, and the package.
HOST_PACKAGES: Final = {
    "baresip": "baresip-core",
    "flite": "flite",
    "mmdebstrap": "mmdebstrap",
    "sipp": "sip-tester",
}
INSTALL_TIMEOUT_S: Final = 600.0
# Made with this recipe; another one makes another root.
RECIPE: Final = "1"


class MissingPartsError(Exception):
    """The parts are not here, or cannot be had here; the message says why."""


@frozen(kw_only=True)
class Parts:
    """Where the parts are."""

    chroot: Path
    baresip: Path
    sipp: Path
    asterisk_version: str


def cache_directory() -> Path:
    """Say where the root of Asterisk is kept between runs."""
    chosen = os.environ.get("REALTIME_CALLS_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "realtime-calls"


def _run(*command: str, timeout_s: float = 60.0) -> str:
    """Run to the end; standard output, or the tail of what it said as the reason."""
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]),
    }
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingPartsError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-4:]
        raise MissingPartsError(f"{' '.join(command[:3])}: {' / '.join(said)}")
    return done.stdout


def _chroot() -> Path:
    return cache_directory() / f"asterisk-{RECIPE}"


def _which(program: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise MissingPartsError(f"{program} is not installed")
    return Path(found)


def find() -> Parts:
    """
    Find the parts without installing any.

    Raises:
        MissingPartsError: One is missing.
    """
    if os.geteuid() != 0:
        raise MissingPartsError("the calls need root, for the chroot and for the packet capture")
    chroot = _chroot()
    if not chroot.is_dir():
        raise MissingPartsError(f"no Asterisk in {chroot}; nox -s calls installs it")
    version = _run("chroot", str(chroot), "asterisk", "-V").split()
    return Parts(
        chroot=chroot,
        baresip=_which("baresip"),
        sipp=_which("sipp"),
        asterisk_version=version[1] if len(version) > 1 else "?",
    )


def _debian_mirror() -> str:
    """Find the mirror this machine has its Debian packages from, by what apt says of its sources."""
    targets = _run(
        "apt-get", "indextargets",
        "--format", "$(LABEL)|$(REPO_URI)|$(COMPONENT)", "Created-By: Packages",
    )  # fmt: skip
    for line in targets.splitlines():
        label, uri, component = line.split("|")
        if label == "Debian" and component == "main":
            return uri
    raise MissingPartsError("apt has no Debian source on this machine (after apt-get update)")


def _apt_options() -> Iterator[str]:
    """How this machine's apt reaches its mirror, proxies for example; the new root's apt must do the same."""
    for line in _run("apt-config", "dump").splitlines():
        if line.startswith(("Acquire::http", "Acquire::https")) and not line.endswith('"";'):
            yield line


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """Keep two runs from making the same root."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install_host_packages() -> None:
    wanted = [package for program, package in HOST_PACKAGES.items() if not shutil.which(program)]
    if not KEYRING.exists():
        wanted.append("debian-archive-keyring")
    if not wanted:
        return
    _run("apt-get", "update", timeout_s=INSTALL_TIMEOUT_S)
    _run(
        "apt-get", "install", "-y", "--no-install-recommends", *wanted, timeout_s=INSTALL_TIMEOUT_S
    )


def _make_chroot(chroot: Path) -> None:
    try:
        mirror = _debian_mirror()
    except MissingPartsError:  # the lists may never have been fetched
        _run("apt-get", "update", timeout_s=INSTALL_TIMEOUT_S)
        mirror = _debian_mirror()
    partial = chroot.with_name(f"{chroot.name}.partial")
    reasons: list[str] = []
    for suite in SUITES:
        shutil.rmtree(partial, ignore_errors=True)
        try:
            _run(
                "mmdebstrap", "--variant=apt", "--mode=root",
                # Expired indexes are tolerated in this root only; signatures are checked as ever.
                '--aptopt=Acquire::Check-Valid-Until "false"',
                *(f"--aptopt={option}" for option in _apt_options()),
                f"--include={ASTERISK_PACKAGES}",
                suite, str(partial), f"deb [signed-by={KEYRING}] {mirror} {suite} main",
                timeout_s=INSTALL_TIMEOUT_S,
            )  # fmt: skip
            _run("chroot", str(partial), "asterisk", "-V")
        except MissingPartsError as error:
            reasons.append(f"{suite}: {error}")
            continue
        partial.rename(chroot)
        return
    shutil.rmtree(partial, ignore_errors=True)
    raise MissingPartsError(f"no Asterisk to be had from {mirror}: {'; '.join(reasons)}")


def install() -> Parts:
    """
    Find the parts, and install what is missing; about a minute the first time.

    Raises:
        MissingPartsError: They cannot be had on this machine.
    """
    if os.geteuid() != 0:
        raise MissingPartsError("the calls need root, for the chroot and for the packet capture")
    if platform.system() != "Linux" or not shutil.which("apt-get"):
        raise MissingPartsError("the parts come from Debian's packages, and there is no apt here")
    with _lock(cache_directory()):
        _install_host_packages()
        if not _chroot().is_dir():
            _make_chroot(_chroot())
    return find()


def main() -> int:
    """Install and say what there is; 3 when it cannot be had."""
    begun = time.monotonic()
    try:
        parts = install()
    except (MissingPartsError, OSError) as error:
        print(f"calls: the real parts cannot be had: {error}", file=sys.stderr)
        return 3
    print(
        f"calls: Asterisk {parts.asterisk_version} in {parts.chroot},"
        f" {parts.baresip}, {parts.sipp} ({time.monotonic() - begun:.0f} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

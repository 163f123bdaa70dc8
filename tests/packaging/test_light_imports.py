"""What importing and listing cost: which modules they load, each seen in an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LATE = ("cattrs", "importlib.metadata", "asyncio", "tomllib")
HEAVY = ("aiohttp", "numpy", "soxr", "msgspec", "pybase64")
VENDORS = ("realtime_openai", "realtime_aliyun", "realtime_local")


def loaded_by(statements: str) -> set[str]:
    """Run statements in a fresh interpreter and give the modules they loaded beyond its own start."""
    program = (
        "import sys; before = set(sys.modules)\n"
        f"{statements}\n"
        "after = set(sys.modules) - before\n"
        "import json; print(json.dumps(sorted(after)))"
    )
    command = [sys.executable, "-P", "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_importing_the_core_loads_nothing_heavy() -> None:
    loaded = loaded_by("import realtime_core")
    lazy = {*HEAVY, *VENDORS, *LATE}
    assert loaded & lazy == set()


def test_every_top_level_name_is_there_without_loading_anything_heavy() -> None:
    loaded = loaded_by("from realtime_core import *")
    assert loaded & {*HEAVY, *VENDORS, *LATE} == set()


def test_listing_the_slugs_imports_no_vendor() -> None:
    loaded = loaded_by(
        "import realtime_core\nassert 'openai' in realtime_core.registered_providers()"
    )
    assert loaded & {*HEAVY, *VENDORS} == set()


def test_describing_the_providers_loads_no_transport_and_no_resampler() -> None:
    loaded = loaded_by(
        "import realtime_core\n"
        "infos = realtime_core.describe_providers()\n"
        "assert not [info for info in infos if info.load_error], infos"
    )
    assert set(VENDORS) <= loaded
    assert loaded & {"aiohttp", "numpy", "soxr"} == set()


@pytest.mark.parametrize("vendor", VENDORS)
def test_importing_a_vendor_loads_no_transport_and_no_resampler(vendor: str) -> None:
    assert loaded_by(f"import {vendor}") & {"aiohttp", "numpy", "soxr"} == set()

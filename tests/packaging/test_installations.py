"""What an installation of real wheels finds, in virtual environments of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.packaging.environment import Environment, build_wheel, write_project
from tests.packaging.source_tree import pyproject

pytestmark = pytest.mark.wheels

Wheels = dict[str, Path]

PROVIDER = """
def provide(credential, options):
    raise NotImplementedError
"""


def slugs(project: str) -> list[str]:
    return sorted(pyproject(project)["project"]["entry-points"]["realtime.providers"])


@pytest.fixture(scope="module")
def core_alone(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Give an environment with the core and what it declares to need."""
    environment = Environment(tmp_path_factory.mktemp("core") / "environment")
    environment.install(wheels["realtime-core"])
    return environment


@pytest.fixture(scope="module")
def with_vendor(
    wheels: Wheels, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Environment]:
    """Give an environment with the core and one vendor, made once for each."""

    @cache
    def made(project: str) -> Environment:
        environment = Environment(tmp_path_factory.mktemp(project) / "environment")
        environment.install(wheels["realtime-core"], wheels[project])
        return environment

    return made


def test_the_core_alone_lists_nothing_and_says_what_to_install(core_alone: Environment) -> None:
    told = core_alone.run(
        "import realtime_core as rt\n"
        "assert rt.registered_providers() == [], rt.registered_providers()\n"
        "assert rt.describe_providers() == []\n"
        "try:\n"
        "    rt.new_agent_from_credential({'provider': 'openai', 'apiKey': 'k'}, rt.Options())\n"
        "except rt.UnknownProviderError as error:\n"
        "    print(error)\n"
    )
    assert "openai" in told
    assert "realtime-openai" in told


def test_the_core_alone_brings_no_third_party_beyond_attrs_and_cattrs(
    core_alone: Environment,
) -> None:
    found = core_alone.run(
        "from importlib.metadata import distributions\n"
        "print(*sorted(dist.name.lower() for dist in distributions()))"
    )
    assert set(found.split()) <= {"attrs", "cattrs", "realtime-core", "typing_extensions"}


@pytest.mark.parametrize("project", ["realtime-openai", "realtime-aliyun", "realtime-local"])
def test_core_and_one_vendor_list_and_describe_that_vendor_only(
    with_vendor: Callable[[str], Environment], project: str
) -> None:
    told = json.loads(
        with_vendor(project).run(
            "import json, realtime_core as rt\n"
            "infos = rt.describe_providers()\n"
            "print(json.dumps({\n"
            "    'listed': rt.registered_providers(),\n"
            "    'described': [[list(i.slugs), i.distribution, i.version] for i in infos],\n"
            "    'errors': [str(i.load_error) for i in infos if i.load_error],\n"
            "}))"
        )
    )
    version = pyproject(project)["project"]["version"]
    assert told == {
        "listed": slugs(project),
        "described": [[slugs(project), project, version]],
        "errors": [],
    }


@pytest.mark.parametrize("project", ["realtime-openai", "realtime-aliyun"])
def test_core_and_one_vendor_are_enough_to_make_an_agent(
    with_vendor: Callable[[str], Environment], project: str
) -> None:
    slug = slugs(project)[0]
    made = with_vendor(project).run(
        "import realtime_core as rt\n"
        f"cfg = {{'provider': {slug!r}, 'apiKey': 'sk-test'}}\n"
        "print(rt.new_agent_from_credential(cfg, rt.Options()).vendor)"
    )
    assert made.strip() in slugs(project)


def test_the_command_lists_the_installed_vendor(wheels: Wheels, environment: Environment) -> None:
    environment.install(wheels["realtime-core"], wheels["realtime-openai"], extras=("cli",))
    listed = environment.script("realtime", "providers", "--json")
    assert "openai_realtime" in listed
    assert "aliyun_omni" not in listed


def test_a_slug_of_two_wheels_is_an_error_naming_both(
    wheels: Wheels, environment: Environment, tmp_path: Path
) -> None:
    rivals: list[Path] = []
    for name in ("voice-one", "voice-two"):
        package = name.replace("-", "_")
        offers = {"shared": f"{package}:provide", name: f"{package}:provide"}
        project = write_project(
            tmp_path / name, name=name, modules={"__init__.py": PROVIDER}, slugs=offers
        )
        rivals.append(build_wheel(project, tmp_path / f"dist-{name}"))
    environment.install(wheels["realtime-core"], *rivals)

    told = environment.run(
        "import realtime_core as rt\n"
        "for call in (\n"
        "    lambda: rt.lookup('shared'),\n"
        "    lambda: rt.new_agent_from_credential({'provider': 'shared'}, rt.Options()),\n"
        "):\n"
        "    try:\n"
        "        call()\n"
        "    except rt.ProviderConflictError as error:\n"
        "        print(error)\n"
        "assert rt.lookup('voice-one') is not None\n"
        "assert rt.registered_providers() == ['shared', 'voice-one', 'voice-two']\n"
    )
    lines = told.splitlines()
    assert len(lines) == 2
    assert all("voice-one" in line and "voice-two" in line for line in lines)


def test_a_provider_that_does_not_import_is_listed_with_its_error_beside_sound_ones(
    wheels: Wheels, environment: Environment, tmp_path: Path
) -> None:
    modules = {"__init__.py": "import a_module_nobody_has\n"}
    project = write_project(
        tmp_path / "broken",
        name="voice-broken",
        modules=modules,
        slugs={"broken": "voice_broken:provide"},
    )
    broken = build_wheel(project, tmp_path / "dist")
    environment.install(wheels["realtime-core"], broken, wheels["realtime-openai"])

    told = json.loads(
        environment.run(
            "import json, realtime_core as rt\n"
            "try:\n"
            "    rt.lookup('broken')\n"
            "except rt.ProviderLoadError as error:\n"
            "    raised = str(error)\n"
            "errors = {i.slugs[0]: str(i.load_error or '') for i in rt.describe_providers()}\n"
            "openai = rt.lookup('openai')\n"
            "print(json.dumps([raised, errors, openai is not None]))"
        )
    )
    raised, errors, sound = told
    assert "voice-broken" in raised
    assert "a_module_nobody_has" in raised
    assert errors.pop("broken") == raised
    assert set(errors.values()) == {""}
    assert sound

"""What each wheel holds."""

from __future__ import annotations

import zipfile
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.packaging.source_tree import PROJECTS, package_of, pyproject

pytestmark = pytest.mark.wheels

Wheels = dict[str, Path]


def info_folder(project: str) -> str:
    return f"{package_of(project)}-{pyproject(project)['project']['version']}.dist-info"


def read(wheels: Wheels, project: str, name: str) -> str:
    with zipfile.ZipFile(wheels[project]) as archive:
        return archive.read(f"{info_folder(project)}/{name}").decode()


def metadata(wheels: Wheels, project: str) -> Message:
    return Parser().parsestr(read(wheels, project, "METADATA"))


@pytest.mark.parametrize("project", PROJECTS)
def test_a_wheel_holds_its_package_and_nothing_else(wheels: Wheels, project: str) -> None:
    folder = PROJECTS[project]
    expected = {
        path.relative_to(folder).as_posix()
        for path in (folder / package_of(project)).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheels[project]) as archive:
        held = {name for name in archive.namelist() if not name.startswith(info_folder(project))}
    assert expected == held


@pytest.mark.parametrize("project", PROJECTS)
def test_a_wheel_is_typed_and_licensed(wheels: Wheels, project: str) -> None:
    with zipfile.ZipFile(wheels[project]) as archive:
        names = set(archive.namelist())
    info = info_folder(project)
    assert {
        f"{package_of(project)}/py.typed",
        f"{info}/licenses/LICENSE",
        f"{info}/licenses/NOTICE",
    } - names == set()


@pytest.mark.parametrize("project", PROJECTS)
def test_metadata_says_what_the_project_declares(wheels: Wheels, project: str) -> None:
    declared = pyproject(project)["project"]
    message = metadata(wheels, project)
    plain = [line for line in message.get_all("Requires-Dist", []) if "extra ==" not in line]

    assert declared["name"] == message["Name"]
    assert declared["version"] == message["Version"]
    assert declared["requires-python"] == message["Requires-Python"]
    assert declared["license"] == message["License-Expression"]
    assert sorted(line.partition(">")[0] for line in declared["dependencies"]) == sorted(
        line.replace("<", ">").partition(">")[0] for line in plain
    )
    assert sorted(declared.get("optional-dependencies", {})) == sorted(
        message.get_all("Provides-Extra", [])
    )
    assert (PROJECTS[project] / "README.md").read_text("utf-8").strip() == str(
        message.get_payload()
    ).strip()


def test_the_core_needs_attrs_and_cattrs_alone(wheels: Wheels) -> None:
    needs = metadata(wheels, "realtime-core").get_all("Requires-Dist", [])
    plain = [line.partition(">")[0] for line in needs if "extra ==" not in line]
    assert sorted(plain) == ["attrs", "cattrs"]


@pytest.mark.parametrize("project", PROJECTS)
def test_entry_points_arrive(wheels: Wheels, project: str) -> None:
    declared = pyproject(project)["project"]
    groups = dict(declared.get("entry-points", {}))
    if "scripts" in declared:
        groups["console_scripts"] = declared["scripts"]
    parser = ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(read(wheels, project, "entry_points.txt"))
    assert groups == {group: dict(parser[group]) for group in parser.sections()}

"""The three pyproject files agree with one another."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from realtime_core import UnknownProviderError
from tests.packaging.source_tree import PROJECTS, ROOT, pyproject

PLUGIN_PROJECTS = [project for project in PROJECTS if project != "realtime-core"]
WEBSOCKET_PROJECTS = ["realtime-aliyun", "realtime-openai"]
PROVIDER_PROJECTS = [*WEBSOCKET_PROJECTS, "realtime-local"]


def test_versions_are_equal() -> None:
    assert len({pyproject(project)["project"]["version"] for project in PROJECTS}) == 1


@pytest.mark.parametrize("project", PROJECTS)
def test_the_installed_version_is_the_declared_one(project: str) -> None:
    assert version(project) == pyproject(project)["project"]["version"]


@pytest.mark.parametrize("project", WEBSOCKET_PROJECTS)
def test_a_vendor_declares_the_floors_of_the_extra_ws(project: str) -> None:
    floors = pyproject("realtime-core")["project"]["optional-dependencies"]["ws"]
    declared = pyproject(project)["project"]["dependencies"]
    assert sorted([*floors, "realtime-core>=0.1,<0.2"]) == sorted(declared)


@pytest.mark.parametrize("key", ["requires-python", "license", "license-files", "authors"])
def test_shared_metadata_is_equal(key: str) -> None:
    values = [pyproject(project)["project"][key] for project in PROJECTS]
    assert [values[0]] * len(values) == values


@pytest.mark.parametrize("project", PLUGIN_PROJECTS)
@pytest.mark.parametrize("file", ["LICENSE", "NOTICE"])
def test_a_plugin_carries_its_own_copy_of_the_licence(project: str, file: str) -> None:
    assert (ROOT / file).read_text("utf-8") == (PROJECTS[project] / file).read_text("utf-8")


@pytest.mark.parametrize("project", PROVIDER_PROJECTS)
def test_every_slug_is_lower_case_and_leads_to_the_vendors_provide(project: str) -> None:
    slugs: dict[str, str] = pyproject(project)["project"]["entry-points"]["realtime.providers"]
    assert slugs
    assert {slug: f"{project.replace('-', '_')}:provide" for slug in slugs} == slugs
    assert [slug.strip().lower() for slug in slugs] == list(slugs)


@pytest.mark.parametrize("project", PROVIDER_PROJECTS)
def test_the_error_of_a_slug_that_is_not_installed_names_its_wheel(project: str) -> None:
    for slug in pyproject(project)["project"]["entry-points"]["realtime.providers"]:
        assert f"Install the wheel that offers it: `pip install {project}`." in str(
            UnknownProviderError(slug)
        )


def test_no_two_vendors_offer_one_slug() -> None:
    slugs = [
        slug
        for project in PROVIDER_PROJECTS
        for slug in pyproject(project)["project"]["entry-points"]["realtime.providers"]
    ]
    assert len(set(slugs)) == len(slugs)

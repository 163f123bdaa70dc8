"""
The direction of imports: an application needs the core, a vendor's wheel the core's backends, nobody a vendor.

Read from the source, so that an import inside a function counts as well.
"""

from __future__ import annotations

import sys

import pytest

from tests.packaging.source_tree import PROJECTS, Import, Module, all_modules, modules, package_of

FENCED = ("realtime_core.backends", "realtime_core.testing", "realtime_core.cli")
"""The only places of the core that leave the standard library, attrs and cattrs."""

VENDOR_PROJECTS = [project for project in PROJECTS if project != "realtime-core"]
PROVIDER_PROJECTS = [p for p in VENDOR_PROJECTS if p != "realtime-telephony"]
"""Those that `describe_providers` imports."""
CORE_MODULES = modules("realtime-core")


def name(module: Module) -> str:
    return module.name


def is_fenced(module: Module) -> bool:
    return any(module.is_in(fence) for fence in FENCED)


def told(module: Module, found: list[Import]) -> list[str]:
    return [f"{module.path}:{item.line} imports {item.module}" for item in found]


@pytest.mark.parametrize("module", [m for m in CORE_MODULES if not is_fenced(m)], ids=name)
def test_core_outside_the_fence_needs_only_stdlib_attrs_and_cattrs(module: Module) -> None:
    allowed = {*sys.stdlib_module_names, "attr", "attrs", "cattrs", "realtime_core"}
    assert told(module, [item for item in module.imports() if item.top not in allowed]) == []


@pytest.mark.parametrize("module", [m for m in CORE_MODULES if not is_fenced(m)], ids=name)
def test_core_outside_the_fence_imports_nothing_from_inside(module: Module) -> None:
    inside = [item for item in module.imports() if any(item.is_in(fence) for fence in FENCED)]
    assert told(module, inside) == []


@pytest.mark.parametrize("module", CORE_MODULES, ids=name)
def test_core_imports_no_vendor(module: Module) -> None:
    vendors = {package_of(project) for project in VENDOR_PROJECTS}
    assert told(module, [item for item in module.imports() if item.top in vendors]) == []


@pytest.mark.parametrize("project", VENDOR_PROJECTS)
def test_a_vendor_imports_no_other_vendor(project: str) -> None:
    own = {"realtime_core", package_of(project)}
    for module in modules(project):
        foreign = [item for item in module.imports() if item.top.startswith("realtime_")]
        assert told(module, [item for item in foreign if item.top not in own]) == []


@pytest.mark.parametrize("project", PROVIDER_PROJECTS)
def test_importing_a_vendor_loads_no_backend(project: str) -> None:
    for module in modules(project):
        early = [item for item in module.imports() if item.at_import_time]
        assert told(module, [item for item in early if item.is_in("realtime_core.backends")]) == []


@pytest.mark.parametrize("project", VENDOR_PROJECTS)
def test_a_vendor_uses_no_private_module_of_the_core(project: str) -> None:
    for module in modules(project):
        core = [item for item in module.imports() if item.top == "realtime_core"]
        private = [item for item in core if any(p.startswith("_") for p in item.module.split("."))]
        assert told(module, private) == []


@pytest.mark.parametrize(
    "module", [m for m in CORE_MODULES if m.is_in("realtime_core.wire")], ids=name
)
def test_the_wire_knows_no_clock_no_thread_no_socket(module: Module) -> None:
    impure = {"asyncio", "concurrent", "selectors", "socket", "ssl", "threading", "time"}
    assert told(module, [item for item in module.imports() if item.top in impure]) == []


@pytest.mark.parametrize(
    "module", [m for m in CORE_MODULES if m.is_in("realtime_core.wire")], ids=name
)
def test_the_wire_knows_no_session_and_no_agent(module: Module) -> None:
    above = ("agent", "session", "transport", "registry", "factory", "describe", "credentials")
    upward = [
        item
        for item in module.imports()
        if any(item.is_in(f"realtime_core.{layer}") for layer in above)
    ]
    assert told(module, upward) == []


def test_the_rules_see_every_module() -> None:
    assert len(all_modules()) > 20
    assert {module.name.partition(".")[0] for module in all_modules()} == {
        package_of(project) for project in PROJECTS
    }

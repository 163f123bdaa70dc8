"""The packages in the checkout as data: their modules, and what each one imports, read without importing."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

ROOT = Path(__file__).parent.parent.parent
PROJECTS = {
    "realtime-core": ROOT,
    **{path.parent.name: path.parent for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))},
}
"""Every distribution of the repository and the folder of its pyproject.toml."""


def package_of(project: str) -> str:
    return project.replace("-", "_")


def pyproject(project: str) -> dict[str, Any]:
    return tomllib.loads((PROJECTS[project] / "pyproject.toml").read_text("utf-8"))


@frozen
class Import:
    """One import statement's target, absolute."""

    module: str
    line: int
    at_import_time: bool
    """Executed when the module is imported: not inside a function, not under TYPE_CHECKING."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def is_in(self, package: str) -> bool:
        return self.module == package or self.module.startswith(f"{package}.")


@frozen
class Module:
    """A source file by its dotted name."""

    name: str
    path: Path

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def is_public(self) -> bool:
        return not any(part.startswith("_") for part in self.name.split("."))

    def is_in(self, package: str) -> bool:
        return self.name == package or self.name.startswith(f"{package}.")

    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"), str(self.path))

    def imports(self) -> Iterator[Import]:
        yield from self._imports(self.tree(), at_import_time=True)

    def _imports(self, node: ast.AST, *, at_import_time: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Import(names=names):
                    for alias in names:
                        yield Import(alias.name, child.lineno, at_import_time)
                case ast.ImportFrom(module=module, level=level, names=names):
                    base = self._absolute(module, level)
                    for alias in names:
                        # `from a import b` may import the module a.b; the rules only look at prefixes.
                        yield Import(f"{base}.{alias.name}", child.lineno, at_import_time)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                    yield from self._imports(child, at_import_time=False)
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    yield from self._imports(child, at_import_time=False)
                case _:
                    yield from self._imports(child, at_import_time=at_import_time)

    def _absolute(self, module: str | None, level: int) -> str:
        if not level:
            return module or ""
        parts = self.name.split(".")
        parents = parts[: len(parts) - level + self.is_package]
        return ".".join([*parents, *([module] if module else [])])


def modules(project: str) -> list[Module]:
    """Give every module of a distribution."""
    folder = PROJECTS[project]
    found: list[Module] = []
    for path in sorted((folder / package_of(project)).rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found.append(Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def all_modules() -> list[Module]:
    return [module for project in PROJECTS for module in modules(project)]

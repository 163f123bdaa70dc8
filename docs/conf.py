"""Configuration of the documentation; builds without a network."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "Realtime"
author = "The Realtime authors"
copyright = "2026, The Realtime authors"
release = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))[
    "project"
]["version"]
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Realtime {release}"

# Docstrings write `Name`; it becomes a link where the name is ours, code everywhere else.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r"realtime_.*\.T"),  # type variables
    ("py:class", r"realtime_.*\._\w+"),  # private protocols in public signatures
    ("py:obj", ".*"),  # a single backtick may hold a value, a file or a foreign name
    ("py:.*", r"(?!realtime_).*"),  # there is no inventory of other projects without a network
]


def link_short_names(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.reference | None:
    """Resolve `Options.vad`, or a class by the module it is defined in, where one object of ours has that name."""
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"]
    if target.startswith("realtime_"):  # documented where it is exported, not where it is defined
        target = target.rpartition(".")[2]
    domain = env.domains.python_domain
    names = [name for name in domain.objects if name.endswith(f".{target}")]
    if len(names) != 1:
        return None
    found = domain.resolve_xref(env, node["refdoc"], app.builder, "obj", names[0], node, contnode)
    return found if isinstance(found, nodes.reference) else None


def render_fences(
    _app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Make literal blocks of fenced ones, which docstrings use as the pages do."""
    inside, rendered = False, list[str]()
    for line in lines:
        if re.match(r"\s*```", line):
            inside = not inside
            rendered += ["::", ""] if inside else [""]
        else:
            rendered.append(f"    {line}" if inside else line)
    lines[:] = rendered


def setup(app: Sphinx) -> None:
    """Register the hooks above."""
    app.connect("missing-reference", link_short_names)
    app.connect("autodoc-process-docstring", render_fences)

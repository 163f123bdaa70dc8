"""Lines of keys: what tomllib reads is found, wherever it stands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_core.toml_lines import KeyPath, line_of, lines_of

TEXT = '''\
# a comment with [brackets] and key = 1
top = "a # no comment"

[slots.people]
kind = "number"
values = [ # of a list
    "one",
    """two
lines""", [3,
    4],
]

[intents.'book it'.tool]
"na\\u006de" = 'x' # the key is name
arguments = { people = "{people}", deep = { list = [1, 2] } }

[[rows]]
a.b = 1979-05-27 07:32:00
[[rows]]
a = 2
[rows.below]
c = """"quoted""""
last = 5
'''


def _paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, dict):
        return [path, *(p for key, item in value.items() for p in _paths(item, (*path, key)))]
    if isinstance(value, list):
        return [path, *(p for i, item in enumerate(value) for p in _paths(item, (*path, i)))]
    return [path]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("slots",), 4),
        (("slots", "people"), 4),
        (("slots", "people", "kind"), 5),
        (("slots", "people", "values"), 6),
        (("slots", "people", "values", 0), 7),
        (("slots", "people", "values", 1), 8),
        (("slots", "people", "values", 2), 9),
        (("slots", "people", "values", 2, 1), 10),
        (("intents", "book it", "tool"), 13),
        (("intents", "book it", "tool", "name"), 14),
        (("intents", "book it", "tool", "arguments", "deep", "list", 1), 15),
        (("rows", 0), 17),
        (("rows", 0, "a", "b"), 18),
        (("rows", 1), 19),
        (("rows", 1, "below", "c"), 22),
        (("rows", 1, "below", "last"), 23),
        (("rows", 1, "below", "missing"), 21),
        (("nothing",), 1),
    ],
)
def test_a_key_is_found_at_its_line(path: KeyPath, line: int) -> None:
    assert line_of(lines_of(TEXT), path) == line


def test_windows_line_ends_count_once() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert lines_of(text) == lines_of(TEXT)


_KEYS = st.text(st.sampled_from("ab.-_'\" é"), min_size=1, max_size=4)
_SCALARS = st.one_of(
    st.integers(-5, 5), st.booleans(), st.text(st.sampled_from("a\"'#]},={[\\ "), max_size=6)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_string(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join("\n# x ]\n" + _inline(item) for item in value) + "]"
    return _string(value) if isinstance(value, str) else str(value)


def _document(value: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    plain = {k: v for k, v in value.items() if not isinstance(v, dict)}
    tables = {k: v for k, v in value.items() if isinstance(v, dict)}
    lines = [f"[{' . '.join(map(_string, path))}]"] if path else []
    lines += [f"{_string(key)} = {_inline(item)}" for key, item in plain.items()]
    for index, (key, item) in enumerate(tables.items()):
        if index % 2 == 0 and not path:
            lines.append(_document(item, (*path, key)))
        else:
            lines.insert(1 if path else 0, f"{_string(key)} = {_inline(item)}")
    return "\n".join(lines)


@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_every_value_of_any_document_has_a_line(value: dict[str, Any]) -> None:
    text = _document(value)
    assert tomllib.loads(text) == value
    lines = lines_of(text)
    assert set(_paths(value)) - {()} == set(lines)
    written = text.split("\n")
    for path, line in lines.items():
        if isinstance(path[-1], str):
            assert _string(path[-1]) in written[line - 1]

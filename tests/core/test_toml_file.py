"""Reading TOML strictly: what a key gives, what it gives when it is not there, and what an error says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_core import ConfigError
from realtime_core.toml_file import LARGEST_TOML_BYTES, Table, nearest, parse_toml, read_toml

DOCUMENT = """
name = "front desk"
blank = " "
empty = ""
many = ["a", "b"]
on = true
count = 3
pair = [2, 5]
share = 0.25
born = 1979-05-27
bits = 0xffffffffffffffffffffffff

[inner]
to = { "desk one" = "100" }
mixed = { a = "x", b = 1 }

[[rows]]
id = 1

[[rows]]
id = "two"
"""


@pytest.fixture
def table() -> Table:
    return parse_toml(DOCUMENT, "desk.toml")


def test_every_type_is_read(table: Table) -> None:
    assert table.text("name") == "front desk"
    assert table.texts("many") == ("a", "b")
    assert table.texts("name") == ("front desk",)
    assert table.choice("name", "x", ("front desk", "back desk")) == "front desk"
    assert table.flag("on", False) is True
    assert table.whole("count", 0, 3) == 3
    assert table.whole_pair("pair", 2, 5) == (2, 5)
    assert table.whole_pair("count", 0, 9) == (3, 3)
    assert table.number("share", 0, 1, None) == 0.25
    assert isinstance(table.number("count", 0, 9, None), float)
    assert table.table("inner").mapping("to") == {"desk one": "100"}
    assert [row.raw("id") for row in table.tables("rows")] == [1, "two"]
    assert table.values()["on"] is True


def test_what_is_not_there_gives_the_default(table: Table) -> None:
    assert table.text("no", None) is None
    assert table.text("no", "x") == "x"
    assert table.texts("no") == ()
    assert table.choice("no", "x", ("x", "y")) == "x"
    assert table.flag("no", True) is True
    assert table.whole("no", 1, 2, None) is None
    assert table.number("no", 1, 2, 1.5) == 1.5
    assert table.mapping("no") == {}
    assert list(table.tables("no")) == []
    assert table.table("no").values() == {}
    assert table.raw("no") is None
    assert not table.has("no")


def test_a_blank_string_is_one_where_the_default_is_empty(table: Table) -> None:
    assert table.text("blank", "") == " "
    assert table.text("empty", "") == ""


WRONG: dict[str, tuple[Callable[[Table], object], str]] = {
    "missing text": (lambda t: t.text("no"), "1: expected a key 'no' here"),
    "missing number": (lambda t: t.table("inner").whole("no", 0, 1), "13: inner: expected a key"),
    "missing below": (lambda t: t.table("inner").required("no"), "13: inner: expected a key 'no'"),
    "blank": (lambda t: t.text("blank"), "3: blank: expected a string that is not blank"),
    "empty": (lambda t: t.text("empty", None), "4: empty: expected a string that is not blank"),
    "text": (lambda t: t.text("on"), "6: on: expected a string, got true"),
    "texts": (lambda t: t.texts("count"), "7: count: expected a string or a list of strings"),
    "texts item": (lambda t: t.texts("pair"), "8: pair[1]: expected a string, got 2"),
    "choice": (
        lambda t: t.choice("name", "x", ("front desks", "y")),
        "2: name: expected one of front desks, y, got 'front desk'; did you mean 'front desks'?",
    ),
    "choice type": (lambda t: t.choice("on", "x", ("x",)), "6: on: expected one of x, got true"),
    "flag": (lambda t: t.flag("count", True), "7: count: expected true or false, got 3"),
    "whole": (lambda t: t.whole("on", 0, 1), "6: on: expected a whole number from 0 to 1, got true"),
    "whole bounds": (lambda t: t.whole("count", 0, 2), "from 0 to 2, got 3"),
    "whole huge": (lambda t: t.whole("bits", 0, 2), "from 0 to 2, got a very large number"),
    "pair bounds": (lambda t: t.whole_pair("pair", 3, 5), "8: pair[1]: expected a whole number"),
    "number": (lambda t: t.number("born", 0, 0.5, None), "0 to 0.5, got a date or time"),
    "mapping": (lambda t: t.table("inner").mapping("mixed"), "15: inner.mixed.b: expected a string"),
    "table": (lambda t: t.table("many"), "5: many: expected a table, got a list"),
    "tables": (lambda t: list(t.tables("inner")), "13: inner: expected tables, each under [[inner]]"),
    "row": (
        lambda t: [row.whole("id", 0, 9) for row in t.tables("rows")],
        "21: rows[2].id: expected a whole number from 0 to 9, got 'two'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_error_names_line_key_and_expectation(case: str, table: Table) -> None:
    read, says = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        read(table)
    assert str(caught.value).startswith("desk.toml, line ")
    assert says in str(caught.value)


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml(f'a = "{"x" * 1000}"', "a.toml").flag("a", False)
    assert len(str(caught.value)) < 150


def test_keys_nobody_asked_for_are_refused() -> None:
    table = parse_toml("one = 1\ntwo = 2\n[tree]\n", "a.toml")
    table.whole("one", 0, 9)
    with pytest.raises(ConfigError, match=r"a\.toml, line 2: two: unknown key; known: one"):
        table.finish()
    table.has("two")
    with pytest.raises(ConfigError, match=r"line 3: tree: unknown key"):
        table.finish()
    table.table("tree").finish()
    table.finish()


def test_other_keys_than_known_ones_are_refused_at_once() -> None:
    table = parse_toml("one = 1\nto = 2\n", "a.toml")
    with pytest.raises(ConfigError, match=r"line 2: to: unknown key; did you mean 'two'\?"):
        table.only("one", "two")
    table.only("one", "to", "three")


def test_what_was_meant_is_said() -> None:
    assert nearest("gren", ("red", "green")) == "did you mean 'green'?"
    assert nearest("q", ("red", "green")) == "known: green, red"
    assert nearest("q", ()) == "known: none"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[open", "line 1: expected TOML: "),
        ("a = 1\n\nb = ", "line 3: expected TOML: "),
        ("a = 1\na = 2\n", "line 2: expected TOML: "),
        ("a = " + "[" * 5000, "line 1: expected TOML without such deep nesting"),
        ("a = " + "9" * 5000, "line 1: expected TOML without such long numbers"),
    ],
)
def test_what_is_no_toml_names_the_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, "a.toml")
    assert f"a.toml, {says}" in str(caught.value)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes("\ufeffname = 'käse'\r\n".encode())
    table = read_toml(file)
    assert table.text("name") == "käse"
    assert table.at("name") == f"{file}, line 1: name"
    assert table.at() == f"{file}, line 1"
    file.write_bytes(b"a = 1\nb = '\xff'")
    with pytest.raises(ConfigError, match=r"a\.toml, line 2: expected UTF-8"):
        read_toml(file)
    file.write_bytes(b"#" * (LARGEST_TOML_BYTES + 1))
    with pytest.raises(ConfigError, match="expected a file of at most 4194304 bytes"):
        read_toml(file)
    with pytest.raises(ConfigError, match="expected a file that can be read: Is a directory"):
        read_toml(tmp_path)

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from realtime_core import ConfigError, Tool, tools_for_session

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
EMPTY = {"type": "object", "properties": {}}


def _parameters(tool: Tool, style: Literal["nested", "flat"]) -> dict[str, Any]:
    (entry,) = tools_for_session([tool], style=style)
    function: dict[str, Any] = entry["function"] if style == "nested" else entry
    return function["parameters"]  # type: ignore[no-any-return]


def test_nested_is_the_default_and_has_a_function_object() -> None:
    tool = Tool(name="lookup", description="Finds a city.", parameters=SCHEMA)
    function = {"name": "lookup", "description": "Finds a city.", "parameters": SCHEMA}
    assert tools_for_session([tool]) == [{"type": "function", "function": function}]
    assert tools_for_session([tool], style="nested") == tools_for_session([tool])


def test_flat_has_the_function_beside_its_type() -> None:
    tool = Tool(name="lookup", description="Finds a city.", parameters=SCHEMA)
    assert tools_for_session([tool], style="flat") == [
        {
            "type": "function",
            "name": "lookup",
            "description": "Finds a city.",
            "parameters": SCHEMA,
        }
    ]


@pytest.mark.parametrize("style", ["nested", "flat"])
def test_a_schema_as_text_and_as_mapping_are_the_same(style: Literal["nested", "flat"]) -> None:
    text = Tool(name="lookup", parameters=json.dumps(SCHEMA))
    assert _parameters(text, style) == _parameters(Tool(name="lookup", parameters=SCHEMA), style)


@pytest.mark.parametrize("style", ["nested", "flat"])
@pytest.mark.parametrize("parameters", [None, "", "  \n", "{not json", "[1, 2]", "null", "5", {}])
def test_blank_or_unusable_parameters_are_an_empty_object(
    parameters: Any, style: Literal["nested", "flat"]
) -> None:
    assert _parameters(Tool(name="lookup", parameters=parameters), style) == EMPTY


@pytest.mark.parametrize("style", ["nested", "flat"])
def test_a_tool_without_a_name_is_skipped_and_the_order_kept(
    style: Literal["nested", "flat"],
) -> None:
    tools = [Tool(name="b"), Tool(name=""), Tool(name="a"), Tool(name="  ")]
    written = tools_for_session(tools, style=style)
    assert [entry.get("name", entry.get("function", {}).get("name")) for entry in written] == [
        "b",
        "a",
    ]


def test_no_tools_are_an_empty_list() -> None:
    assert tools_for_session([]) == []


def test_the_result_belongs_to_the_caller() -> None:
    tool = Tool(name="lookup", parameters=SCHEMA)
    tools_for_session([tool], style="flat")[0]["parameters"].clear()
    assert tools_for_session([tool], style="flat")[0]["parameters"] == SCHEMA


def test_the_result_belongs_to_the_caller_at_every_depth() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = Tool(name="lookup", parameters=schema)
    tools_for_session([tool], style="flat")[0]["parameters"]["properties"].clear()
    assert schema["properties"] == {"city": {"type": "string"}}


def test_a_tool_does_not_show_its_handler() -> None:
    assert "handler" not in repr(Tool(name="lookup", handler=lambda name, arguments: name))


@pytest.mark.parametrize(
    ("field", "value"), [("name", None), ("name", 5), ("description", None), ("handler", "look")]
)
def test_a_field_of_another_type_is_refused_by_name(field: str, value: Any) -> None:
    fields: dict[str, Any] = {"name": "lookup", field: value}
    with pytest.raises(ConfigError, match=rf"Tool\.{field}: expected .+, got {value!r}"):
        Tool(**fields)

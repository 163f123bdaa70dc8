"""`__all__` of every public module, and the names other programs are written against."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest

import realtime_core
from realtime_core import Event, RealtimeError
from tests.packaging.source_tree import Module, all_modules

CONTRACT = {
    *("new_agent_from_credential", "register", "unregister", "lookup", "registered_providers"),
    *("describe_providers", "Provider", "ProviderInfo", "Agent", "Capabilities", "SessionStats"),
    *("Options", "ServerVAD", "SemanticVAD", "Tool", "ToolHandler", "tools_for_session", "Usage"),
    *("RealtimeError", "ErrorKind", "ConfigError", "UnknownProviderError", "AgentStateError"),
    *("ProviderConflictError", "ProviderLoadError", "AgentClosedError", "UnsupportedError"),
    *("ConnectError", "SessionLostError", "RemoteProtocolError", "VendorError"),
    *("Event", "EventType", "SessionOpen", "SessionClose", "UserSpeechStarted", "ErrorEvent"),
    *("UserSpeechEnded", "UserTranscript", "AssistantText", "AssistantAudio", "ToolCall"),
    *("Interrupted", "AssistantTurnEnd"),
}
PUBLIC = [module for module in all_modules() if module.is_public]


def name(module: Module) -> str:
    return module.name


def is_type_variable(value: ast.expr | None) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in ("TypeVar", "ParamSpec")
    )


def top_level_names(body: list[ast.stmt], *, with_imports: bool) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets, value=value) if not is_type_variable(value):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.ImportFrom(module=module, names=aliases, level=level) if with_imports:
                if level or (module and module.startswith("realtime_")):
                    yield from (alias.asname or alias.name for alias in aliases)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=names_loaded_late):
                yield from top_level_names(names_loaded_late, with_imports=with_imports)
            case _:
                pass


@pytest.mark.parametrize("module", PUBLIC, ids=name)
def test_all_lists_exactly_the_public_names(module: Module) -> None:
    # A package's __init__ re-exports; any other module imports for its own use.
    defined = top_level_names(module.tree().body, with_imports=module.is_package)
    public = {name for name in defined if not name.startswith("_")}

    listed: list[str] = list(getattr(importlib.import_module(module.name), "__all__", []))

    assert public == set(listed)
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("module", PUBLIC, ids=name)
def test_every_listed_name_can_be_imported(module: Module) -> None:
    imported = importlib.import_module(module.name)
    missing = [name for name in getattr(imported, "__all__", []) if not hasattr(imported, name)]
    assert missing == []


def test_the_contract_is_importable_from_the_top() -> None:
    assert CONTRACT - set(realtime_core.__all__) == set()


@pytest.mark.parametrize("root", [Event, RealtimeError])
def test_every_event_and_every_error_of_the_core_is_importable_from_the_top(root: type) -> None:
    family: list[type] = [root]
    for kind in family:
        family.extend(kind.__subclasses__())
    core = {kind.__name__ for kind in family if kind.__module__ == root.__module__}
    assert core - set(realtime_core.__all__) == set()

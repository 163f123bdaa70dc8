from __future__ import annotations

import pytest

from realtime_core.errors import ConfigError
from realtime_local.loading import load_object


def test_an_object_and_one_inside_it_are_found() -> None:
    assert load_object("json:loads", "recogniser")("1") == 1
    assert load_object("json.decoder:JSONDecoder.decode", "recogniser").__name__ == "decode"


@pytest.mark.parametrize(
    "name", ["", "json", "json:", ":loads", "js on:loads", "json:loads()", ".json:x", "../x:y"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="recogniser: expected a name like"):
        load_object(name, "recogniser")


def test_an_absent_module_or_attribute_is_told() -> None:
    with pytest.raises(ConfigError, match="no_such_module"):
        load_object("no_such_module:x", "vad")
    with pytest.raises(ConfigError, match="vad: 'json' has no 'nothing'"):
        load_object("json:nothing", "vad")

"""A word that the recogniser does not know: said where it stands, when the session starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from realtime_core import (
    AssistantText,
    AssistantTurnEnd,
    ConfigError,
    Options,
    new_agent_from_credential,
)
from realtime_core.testing.recorder import Recorder, push
from realtime_local.script_words import unknown_word
from tests.local.sounds import needs_flite, silence, spoken

BEGIN = """\
[slots.dish]
kind = "list"
values = { a = "soup", b = [
  "fish",
  "the qwfish",
] }

[intents.order]
phrases = [
  "bring me {dish}",
  "[i’d | Please] (zzyx | bring)",
]
answer = "Yes."
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "x.toml"
    path.write_text(BEGIN)
    return path


def test_every_place_is_named(script: Path) -> None:
    found = str(unknown_word(script))
    assert found.startswith(f"{script}, line 5: slots.dish.values.b[2]: expected US English words")
    assert found.endswith(
        "does not have 'qwfish', nor 'zzyx'; [pronunciations] can say how they sound"
    )
    script.write_text(BEGIN.replace("qwfish", "fish soup"))
    found = str(unknown_word(script))
    assert f"{script}, line 11: intents.order.phrases[2]: " in found
    assert "does not have 'zzyx';" in found
    script.write_text(BEGIN.replace("qwfish", "fish soup").replace("zzyx", "give"))
    assert unknown_word(script) is None


def test_the_start_is_refused_with_it(script: Path) -> None:
    cfg = {
        "provider": "local",
        "script": str(script),
        "synthesiser": "tests.local.doubles:Humming",
    }
    agent = new_agent_from_credential(cfg, Options())
    with pytest.raises(ConfigError, match=r"x\.toml, line 5: slots\.dish\.values"):
        asyncio.run(agent.start())


@needs_flite
def test_a_name_may_be_spelt_out(script: Path) -> None:
    script.write_text(
        """
[slots.dish]
kind = "list"
values = ["tomato soup", "Gnocchee"]

[intents.order]
phrases = "please bring me {dish}"
answer = "Yes, {dish}."

[pronunciations]
Gnocchee = "N Y OW K IY"
"""
    )
    assert unknown_word(script) is None
    cfg = {"provider": "local", "script": str(script), "synthesiser": "tests.local.doubles:Humming"}
    recorder = Recorder()
    agent = new_agent_from_credential(cfg, Options(on_event=recorder, when_full="wait"))

    async def call() -> None:
        async with agent:
            await push(agent, silence(500) + spoken("please bring me nyokee") + silence(1000))
            await recorder.wait_for(AssistantTurnEnd)

    asyncio.run(call())
    assert [text.text for text in recorder.of(AssistantText) if text.final] == ["Yes, Gnocchee."]

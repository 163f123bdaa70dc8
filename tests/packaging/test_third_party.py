"""A provider that somebody else publishes is found after its installation, and works."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.packaging.environment import Environment, build_wheel
from tests.packaging.source_tree import ROOT

pytestmark = pytest.mark.wheels

Wheels = dict[str, Path]

THIRD_PARTY = Path(__file__).parent / "third_party"
RECORDING = ROOT / "examples" / "audio" / "question.wav"


@pytest.fixture(scope="module")
def parrot(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Give an environment with the core and the parrot, and no vendor of ours."""
    tmp_path = tmp_path_factory.mktemp("parrot")
    environment = Environment(tmp_path / "environment")
    source = tmp_path / "voice-parrot"
    shutil.copytree(THIRD_PARTY, source, ignore=shutil.ignore_patterns("__pycache__"))
    wheel = build_wheel(source, tmp_path / "dist")
    environment.install(wheels["realtime-core"], wheel)
    return environment


def test_it_is_listed_and_described_by_its_wheel(parrot: Environment) -> None:
    told = json.loads(
        parrot.run(
            "import json, realtime_core as rt\n"
            "(info,) = rt.describe_providers()\n"
            "key = info.credential_schema['properties']['apiKey']\n"
            "print(json.dumps([rt.registered_providers(), list(info.slugs), info.distribution,\n"
            "    info.version, key['writeOnly'], str(info.load_error)]))"
        )
    )
    slugs = ["parrot", "polly"]
    assert told == [slugs, slugs, "voice-parrot", "1.2.3", True, "None"]


def test_it_holds_a_spoken_turn(parrot: Environment) -> None:
    told = json.loads(parrot.run_file(THIRD_PARTY / "conversation.py", str(RECORDING)))

    assert told["vendor"] == "parrot"
    assert told["violations"] == []
    assert told["kinds"][0] == "session.open"
    assert told["kinds"][-1] == "assistant.turn.end"
    assert {"user.speech.started", "assistant.audio", "assistant.text"} <= set(told["kinds"])
    assert 2.5 < told["spoken_s"] < 4.5  # the parrot says back the utterance of three seconds

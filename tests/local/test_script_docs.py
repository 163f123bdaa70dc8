"""The example of the documentation does what the page says."""

from __future__ import annotations

from pathlib import Path

from realtime_core import Tool
from realtime_local.script_reading import parse_script
from realtime_local.script_replier import ScriptReplier
from tests.local.turns import Conversation

PAGE = Path(__file__).parents[2] / "docs" / "local-script.md"


async def test_the_example_of_the_page_is_a_script() -> None:
    text = PAGE.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    tools = [Tool(name=name) for name in ("rent_bike", "transfer", "hang_up")]
    talk = Conversation(ScriptReplier(parse_script(text)), tools)
    assert (await talk.greeting()).startswith("Hello, this is the bicycle shop. It is ")
    assert await talk.say("when do you open") == "We are open from nine to six, every day."
    assert await talk.say("my order number is 527") == "Thank you, I noted five two seven."
    assert await talk.say("can i rent a bike please") == "A city bike, or a racing bike?"
    assert await talk.say("the racing bike") == "For how many days?"
    assert await talk.say("please repeat that") == "For how many days?"
    assert await talk.say("for two days") == "One moment."
    assert talk.calls[-1].arguments == {"model": "race", "days": 2, "shop": "main street"}
    assert await talk.tell('{"price": 40}') == (
        "Your racing bike is reserved for two days. That is 40 dollars."
    )
    assert await talk.say("can i talk to a human") == "I am putting you through."
    assert await talk.tell("{}") == ""
    assert await talk.say("good bye") == "Good bye, and have a nice ride."
    assert [call.name for call in talk.calls] == ["rent_bike", "transfer", "hang_up"]

"""Every replier is one, and the parrot says what it hears."""

from __future__ import annotations

from realtime_local.chat import ChatReplier
from realtime_local.engines import Message, Replier
from realtime_local.parrot import ParrotReplier
from realtime_local.script_reading import demo_script
from realtime_local.script_replier import ScriptReplier
from tests.local.turns import Conversation


async def test_repliers_fit_their_seam() -> None:
    repliers: list[Replier] = [
        ParrotReplier(),
        ScriptReplier(demo_script()),
        ChatReplier(base_url="http://localhost:1/v1", model="m"),
    ]
    for replier in repliers:
        await replier.close()
        await replier.close()


async def test_a_parrot_says_back_what_it_heard() -> None:
    parrot = ParrotReplier(greeting="Hello.")
    talk = Conversation(parrot)
    assert await talk.greeting() == "Hello."
    assert await talk.say(" what a day ") == "what a day"
    assert await talk.say("") == "Sorry, I did not understand that."
    assert [piece async for piece in parrot.reply(talk.request())] == []
    assert parrot.phrases() is None


async def test_a_parrot_says_back_all_of_it() -> None:
    talk = Conversation(ParrotReplier())
    talk.history += [Message(role="user", text="what a"), Message(role="user", text="")]
    assert await talk.say("day") == "what a day"

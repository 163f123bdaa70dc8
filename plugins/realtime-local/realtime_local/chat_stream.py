"""What a streamed chat completion says: events in, sentences and calls of tools out. Pure."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, final

from attrs import define

from realtime_core.errors import RemoteProtocolError
from realtime_local.engines import CallTool, Say
from realtime_local.sentences import SentenceSplitter
from realtime_local.thoughts import ThoughtFilter

__all__ = ["ChatStream", "StreamedError"]

_DONE = "[DONE]"
_MOST_CALLS = 32
_log = logging.getLogger("realtime_local.chat")


class StreamedError(Exception):
    """The server reported an error in the stream; `body` is what it sent."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__("the server reported an error")
        self.body = body


@define
class _Fragments:
    """A call whose arguments are still written."""

    call_id: str = ""
    name: str = ""
    arguments: str = ""


@final
class ChatStream:
    """
    One streamed reply.

    Args:
        host: The server, for errors.
        unique_id: Makes an id of a call unique in the session; gets the server's, which may be empty.
    """

    def __init__(self, host: str, unique_id: Callable[[str], str]) -> None:
        self._host = host
        self._unique_id = unique_id
        self._splitter = SentenceSplitter()
        self._thoughts = ThoughtFilter()
        self._calls: list[_Fragments] = []
        self._by_index: dict[int, _Fragments] = {}
        self.is_finished: bool = False
        """Whether the reply is whole: it has a reason to end, or the server said that it is done."""
        self.finish_reason: str = ""
        """Why it ended, such as `stop`, `length` or `content_filter`."""
        self.spoke: bool = False
        """Whether there was anything to say."""

    def feed(self, data: str) -> list[Say]:
        """
        Take the data of an event.

        Returns:
            The sentences that are whole now.

        Raises:
            RemoteProtocolError: It is not what this API sends.
            StreamedError: The server reports an error.
        """
        if data.strip() == _DONE:
            self.is_finished = True
            return []
        event = self._parsed(data)
        if event.get("error"):
            raise StreamedError(event)
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise RemoteProtocolError(f"{self._host} sent an event without choices")
        choice = choices[0] if choices else None  # none: an event about usage alone
        if not isinstance(choice, Mapping):
            return []
        if choice.get("finish_reason"):
            self.is_finished = True
            self.finish_reason = str(choice["finish_reason"])
        delta = choice.get("delta")
        if not isinstance(delta, Mapping):
            return []
        self._take_calls(delta.get("tool_calls"))
        text = delta.get("content")
        if not isinstance(text, str):
            return []
        return self._said(self._splitter.feed(self._thoughts.feed(text)))

    def finish(self) -> list[Say | CallTool]:
        """Give the last words and, after them, the calls."""
        calls = [self._call(call) for call in self._calls if call.name]
        if len(calls) < len(self._calls):
            _log.warning("%s called a tool without saying which", self._host)
        last = self._splitter.feed(self._thoughts.finish())
        return [*self._said([*last, *self._splitter.finish()]), *calls]

    def _said(self, sentences: list[str]) -> list[Say]:
        self.spoke = self.spoke or bool(sentences)
        return [Say(text=sentence) for sentence in sentences]

    def _parsed(self, data: str) -> Mapping[str, Any]:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise RemoteProtocolError(
                f"{self._host} sent an event that is no JSON object; does it stream chat completions?"
            )
        return event

    def _take_calls(self, deltas: Any) -> None:
        for delta in deltas if isinstance(deltas, list) else ():
            if not isinstance(delta, Mapping):
                continue
            call = self._fragments(delta.get("index"), _text(delta.get("id")))
            function = delta.get("function")
            if isinstance(function, Mapping):
                call.name = call.name or _text(function.get("name"))
                arguments = function.get("arguments")
                # Some servers send them as an object, whole.
                call.arguments += (
                    json.dumps(arguments) if isinstance(arguments, Mapping) else _text(arguments)
                )

    def _fragments(self, index: Any, call_id: str) -> _Fragments:
        """Find the call a fragment belongs to: by index; a second id under one index is another call."""
        known = self._by_index.get(index) if type(index) is int else None
        if known is None and type(index) is not int and self._calls and not call_id:
            known = self._calls[-1]
        if known is not None and call_id in ("", known.call_id):
            return known
        if known is not None and not known.call_id and not known.name:
            known.call_id = call_id
            return known
        if len(self._calls) >= _MOST_CALLS:
            raise RemoteProtocolError(f"{self._host} called more than {_MOST_CALLS} tools at once")
        call = _Fragments(call_id)
        self._calls.append(call)
        if type(index) is int:
            self._by_index[index] = call
        return call

    def _call(self, call: _Fragments) -> CallTool:
        try:
            arguments = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            _log.warning("%s sent arguments of %s that are no JSON object", self._host, call.name)
            arguments = {}
        return CallTool(call_id=self._unique_id(call.call_id), name=call.name, arguments=arguments)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

"""Which tool calls wait for an answer, and when a reply's answers are complete."""

from __future__ import annotations

from attrs import define, field

__all__ = ["CallBook"]

_MOST_REPLIES = 64
_TOO_MANY = '{"error": "too many tools are running; this one is not waited for"}'


@define
class _Calls:
    """The calls of one reply."""

    answers: dict[str, str | None] = field(factory=dict)
    ended: bool = False
    cut: bool = False

    @property
    def complete(self) -> bool:
        return self.ended and all(answer is not None for answer in self.answers.values())


@define
class CallBook:
    """
    Keeps the calls of each reply until all are answered and the reply has ended.

    Sending results earlier races with the running reply, and one request for each result would collide with the
    next, so a reply's results go back together (reported of several clients of OpenAI Realtime and DashScope).
    """

    _replies: dict[str | None, _Calls] = field(factory=dict)

    def called(self, response_id: str | None, call_id: str) -> None:
        """Note a call; beyond the bound the oldest reply's calls are answered here, so that they go back."""
        if response_id not in self._replies and len(self._replies) >= _MOST_REPLIES:
            oldest = next(iter(self._replies.values()))
            for waiting, answer in oldest.answers.items():
                oldest.answers[waiting] = answer or _TOO_MANY
        self._replies.setdefault(response_id, _Calls()).answers[call_id] = None

    def named(self, response_id: str | None) -> None:
        """Note the id of a reply whose calls came before it."""
        if response_id is not None and None in self._replies:
            self._replies[response_id] = self._replies.pop(None)

    def waits(self, call_id: str) -> bool:
        """Say whether a call has no answer yet."""
        return any(
            call_id in calls.answers and calls.answers[call_id] is None
            for calls in self._replies.values()
        )

    def answer(self, call_id: str, output: str) -> None:
        """Take an answer, for the oldest call of that id; one that nobody waits for changes nothing."""
        for calls in self._replies.values():
            if call_id in calls.answers and calls.answers[call_id] is None:
                calls.answers[call_id] = output
                return

    def reply_ended(self, response_id: str | None, *, cut: bool) -> None:
        """
        Note that a reply is over, so that its answers may go back.

        Args:
            response_id: The reply.
            cut: The caller cut in; the answers go back, but nobody speaks up because of them.
        """
        calls = self._replies.get(response_id)
        if calls is not None:
            calls.ended, calls.cut = True, cut

    def take_complete(self) -> tuple[list[tuple[str, str]], bool]:
        """
        Take the answers of all replies that are complete.

        Returns:
            Call ids with answers, in order of calling, and whether a reply to them is wanted.
        """
        ready: list[tuple[str, str]] = []
        wanted = False
        for response_id, calls in list(self._replies.items()):
            if calls.complete:
                ready += [(call, answer or "") for call, answer in calls.answers.items()]
                wanted = wanted or not calls.cut
                del self._replies[response_id]
        return ready, wanted

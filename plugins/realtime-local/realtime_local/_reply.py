"""A reply of the model in the box while it is under way."""

from __future__ import annotations

from attrs import define, field

from realtime_core.events import AssistantText, AssistantTurnEnd, TurnStatus

__all__ = ["LocalReply"]


@define
class LocalReply:
    """The reply under way."""

    number: int
    heard_from_at: float
    calls: list[str] = field(factory=list)
    """Names of the tools it called."""
    speaking: bool = False
    """Its item's audio has not ended."""

    @property
    def response_id(self) -> str:
        """What its events carry."""
        return f"reply_{self.number}"

    @property
    def item_id(self) -> str:
        """Of its one message item."""
        return f"item_{self.number}"

    def text(self, vendor: str, text: str, *, final: bool) -> AssistantText:
        """Make the event of a fragment, or of the whole text."""
        return AssistantText(
            vendor=vendor,
            text=text,
            final=final,
            item_id=self.item_id,
            response_id=self.response_id,
        )

    def end(self, vendor: str, status: TurnStatus) -> AssistantTurnEnd:
        """Make the event of its end; what it cost is nobody's bill."""
        return AssistantTurnEnd(
            vendor=vendor,
            response_id=self.response_id,
            status=status,
            usage=None,
            tool_names=tuple(self.calls),
        )

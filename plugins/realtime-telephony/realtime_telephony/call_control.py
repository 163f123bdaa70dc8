"""The tools by which a model ends or transfers the call it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from attrs import frozen

from realtime_core.errors import ConfigError
from realtime_core.tools import Tool

__all__ = ["CallControl", "CallWish"]


@frozen
class CallWish:
    """What the model wants done with the call once it has been heard out."""

    kind: Literal["hang_up", "transfer"]
    """End the call, or send the caller elsewhere."""
    target: str = ""
    """Where to."""


class CallControl:
    """
    Ready-made tools `hang_up` and `transfer`; made before the agent, bound to its call by `attach`.

    Put `tools` into `Options.tools`, and hand the control to `attach`; one control, one call. What the model wants is done
    when its goodbye has been heard.

    Args:
        hang_up: Whether the model may end the call.
        transfer_to: Targets by the names the model uses for them; empty: no transfer.
    """

    def __init__(
        self, *, hang_up: bool = True, transfer_to: Mapping[str, str] | None = None
    ) -> None:
        self._targets = dict(transfer_to or {})
        self._on_wish: Callable[[CallWish], None] | None = None
        self._can_transfer = True
        self._is_in_use = False
        tools: list[Tool] = []
        if hang_up:
            tools.append(
                Tool(
                    name="hang_up",
                    description="End the telephone call, once the conversation is over and goodbye is said.",
                    handler=self._hang_up,
                )
            )
        if self._targets:
            names = sorted(self._targets)
            tools.append(
                Tool(
                    name="transfer",
                    description="Put the caller through to somebody else and leave the call.",
                    parameters={
                        "type": "object",
                        "properties": {
                            "target": {
                                "type": "string",
                                "enum": names,
                                "description": "Whom the caller wants.",
                            }
                        },
                        "required": ["target"],
                    },
                    handler=self._transfer,
                )
            )
        self.tools: tuple[Tool, ...] = tuple(tools)
        """For `Options.tools`, besides the application's own."""

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """
        Keep it for one call; `attach` does.

        Raises:
            ConfigError: It is in another call, which the model of this one would end.
        """
        if self._is_in_use:
            raise ConfigError(
                "attach: this CallControl is in another call; make one for each call, before its agent"
            )
        self._is_in_use = True
        try:
            yield
        finally:
            self._is_in_use = False
            self._on_wish = None

    def bind(self, on_wish: Callable[[CallWish], None], *, can_transfer: bool = True) -> None:
        """
        Say who carries out what the model wants; `attach` does.

        Args:
            on_wish: Told of every wish.
            can_transfer: Whether the leg can; otherwise the model is told so when it tries.
        """
        self._on_wish = on_wish
        self._can_transfer = can_transfer

    def _wish(self, wish: CallWish) -> bool:
        if self._on_wish is None:
            return False
        self._on_wish(wish)
        return True

    async def _hang_up(self, name: str, arguments: dict[str, Any]) -> str:
        if not self._wish(CallWish("hang_up")):
            return "There is no call to end."
        return (
            "The call ends when you have been heard out. If you have not said goodbye yet, do so now in a few words; "
            "otherwise say nothing."
        )

    async def _transfer(self, name: str, arguments: dict[str, Any]) -> str:
        wanted = str(arguments.get("target", ""))
        if wanted not in self._targets:
            return f"There is nobody of that name; known are: {', '.join(sorted(self._targets))}."
        if not self._can_transfer:
            return "This call cannot be put through. Tell the caller so, and go on."
        if not self._wish(CallWish("transfer", self._targets[wanted])):
            return "There is no call to transfer."
        return (
            "The caller is put through when you have been heard out. If you have not said so yet, do so now in a few "
            "words; otherwise say nothing."
        )

"""The tools of the demonstration: a book of tables which lives as long as its object."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, final

from attrs import frozen

from realtime_core.tools import Tool
from realtime_local.numbers import number_words

__all__ = ["Booking", "BookingBook", "restaurant_tools"]

_FIRST_NUMBER = 101
_MOST_BOOKINGS = 800  # numbers keep three digits


@frozen(kw_only=True)
class Booking:
    """A table that is taken."""

    number: str
    """What the guest is told; three digits."""
    people: int
    """How many guests."""
    day: str
    """As it was said."""
    time: str
    """Hour and minute, such as 19:30."""


@final
class BookingBook:
    """
    The book at the telephone.

    Args:
        tables: How many bookings fit into one day and time.
    """

    def __init__(self, *, tables: int = 4) -> None:
        self.bookings: dict[str, Booking] = {}
        """By number; those cancelled are gone."""
        self._tables = tables
        self._next = _FIRST_NUMBER

    def book(self, people: int, day: str, time: str) -> Booking | None:
        """Book a table; `None` when none is free."""
        taken = sum(1 for have in self.bookings.values() if (have.day, have.time) == (day, time))
        if taken >= self._tables or self._next >= _FIRST_NUMBER + _MOST_BOOKINGS:
            return None
        booking = Booking(number=str(self._next), people=people, day=day, time=time)
        self._next += 1
        self.bookings[booking.number] = booking
        return booking

    def cancel(self, number: str) -> bool:
        """Give a table back; tell whether there was such a booking."""
        return self.bookings.pop(number, None) is not None


def _error(text: str) -> str:
    return json.dumps({"error": text})


def restaurant_tools(
    book: BookingBook | None = None, *, transfer: Callable[[str], None] | None = None
) -> list[Tool]:
    """
    Make the tools that the script of the demonstration calls.

    Args:
        book: Where tables are booked; a new one by default.
        transfer: Called with the target when the caller wants a human. Without it there is no such tool: a call leg
            supplies its own, and elsewhere the agent only says that it would.
    """
    desk = book if book is not None else BookingBook()

    def book_table(name: str, arguments: dict[str, Any]) -> str:
        people = arguments.get("people")
        day, time = arguments.get("day"), arguments.get("time")
        if type(people) is not int or not isinstance(day, str) or not isinstance(time, str):
            return _error("I need the number of people, the day and the time")
        if not 1 <= people <= 12:
            return _error("Our largest table is for twelve")
        booking = desk.book(people, day, time)
        if booking is None:
            return _error("There is no free table at that time")
        spoken = " ".join(number_words(int(digit)) for digit in booking.number)
        return json.dumps({"number": booking.number, "number_spoken": spoken})

    def cancel_booking(name: str, arguments: dict[str, Any]) -> str:
        if not desk.cancel(str(arguments.get("number", ""))):
            return _error("There is no booking with that number")
        return json.dumps({"cancelled": True})

    def transfer_call(name: str, arguments: dict[str, Any]) -> str:
        if transfer is not None:
            transfer(str(arguments.get("target", "")))
        return json.dumps({"transferred": True})

    tools = [
        Tool(
            name="book_table",
            description="Books a table. Ask for everything that is missing first.",
            parameters=_object(
                people={"type": "integer", "minimum": 1, "maximum": 12},
                day={"type": "string", "description": "today, tonight, tomorrow or a weekday"},
                time={"type": "string", "description": "such as 19:30"},
            ),
            handler=book_table,
        ),
        Tool(
            name="cancel_booking",
            description="Cancels a booking by its number.",
            parameters=_object(number={"type": "string", "description": "digits"}),
            handler=cancel_booking,
        ),
    ]
    if transfer is not None:
        tools.append(
            Tool(
                name="transfer",
                description="Puts the caller through to a human.",
                parameters=_object(target={"type": "string", "description": "such as reception"}),
                handler=transfer_call,
            )
        )
    return tools


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}

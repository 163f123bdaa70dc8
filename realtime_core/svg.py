"""SVG written by hand: escaped text, numbers without noise, and the few shapes a picture of a call needs."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["clean", "element", "escaped", "number", "tag", "text"]


def clean(text: str) -> str:
    """Put a text on one line, without what XML or a reader cannot stand: it may come from anywhere."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def escaped(text: str) -> str:
    """Write characters as content of an element; blanks stay."""
    return escape("".join(c if c.isprintable() else " " for c in text))


def number(value: float) -> str:
    """Write a number with one decimal at most."""
    written = f"{value:.1f}".removesuffix(".0")
    return "0" if written == "-0" else written


def tag(name: str, **attributes: float | str) -> str:
    """
    Write an element without content.

    Args:
        name: Of the element.
        attributes: Escaped; `_` in a name stands for `-`, one at its end is left out (`class_`).
    """
    return element(name, (), **attributes)


def element(name: str, content: Iterable[str], **attributes: float | str) -> str:
    """
    Write an element.

    Args:
        name: Of the element.
        content: Elements, or escaped text.
        attributes: As for `tag`.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
    )
    inside = "".join(content)
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def _value(value: float | str) -> str:
    return escape(value) if isinstance(value, str) else number(value)


def text(x: float, y: float, content: str, class_: str, *, anchor: str = "start") -> str:
    """
    Write a line of text.

    Args:
        x: Of its anchor.
        y: Of its base line.
        content: Any text; escaped here.
        class_: Of the style sheet.
        anchor: `start`, `middle` or `end`.
    """
    place: dict[str, float | str] = {} if anchor == "start" else {"text_anchor": anchor}
    return element("text", [escape(clean(content))], x=x, y=y, class_=class_, **place)

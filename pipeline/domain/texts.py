"""Whether a text says anything to an eye."""

from __future__ import annotations


def visible(text: str) -> bool:
    """Whether any character of the text shows: spaces, controls and marks of no width do not."""
    return any(character.isprintable() and not character.isspace() for character in text)

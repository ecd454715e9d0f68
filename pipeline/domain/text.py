"""Texts for people: whether one says anything to an eye, and names in a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def visible(text: str) -> bool:
    """Whether any character of the text shows: spaces, controls and marks of no width do not."""
    return any(character.isprintable() and not character.isspace() for character in text)


def listed(names: Sequence[str], most: int = 10) -> str:
    """The names with commas between, as many as a sentence bears: ``a, b and 40 more``."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

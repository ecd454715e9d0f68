"""Texts for people: whether one shows anything, names in a sentence, lines that are safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Characters that change the direction of the rest of the line.
DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> bool:
    """Whether any character of the text shows: spaces, controls and marks of no width do not."""
    return any(character.isprintable() and not character.isspace() for character in text)


def listed(names: Sequence[str], most: int = 10) -> str:
    """The names with commas between, as many as a sentence bears: ``a, b and 40 more``."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def printable(line: str) -> str:
    """The line with control characters replaced: names come from strangers, and may hold commands to the terminal."""
    if line.isascii() and line.isprintable():
        return line
    return "".join("\ufffd" if _is_control(character) else character for character in line)


def _is_control(character: str) -> bool:
    return (unicodedata.category(character) == "Cc" and character not in "\n\t") or character in DIRECTION_MARKS

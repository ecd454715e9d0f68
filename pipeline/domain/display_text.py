"""Texts shown to users: visibility, lists of names in a sentence, lines that are safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Characters that change the direction of the rest of the line.
DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> bool:
    """Whether the text has any visible character: spaces, controls and zero-width marks are not."""
    return any(character.isprintable() and not character.isspace() for character in text)


def listed(names: Sequence[str], most: int = 10) -> str:
    """The first ``most`` names, separated by commas, and the number of the others: ``a, b and 40 more``."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def printable(line: str) -> str:
    """The line with control characters replaced: names come from outside, and may hold terminal escape sequences."""
    if line.isascii() and line.isprintable():
        return line
    return "".join("\ufffd" if _is_control(character) else character for character in line)


def _is_control(character: str) -> bool:
    return (unicodedata.category(character) == "Cc" and character not in "\n\t") or character in DIRECTION_MARKS

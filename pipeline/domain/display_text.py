"""Texts shown to users: visible characters, lists of names in a sentence, lines that are safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Characters that change the direction of the text that follows.
DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def has_visible_character(text: str) -> bool:
    """Whether the text has any character other than spaces, control characters and zero-width marks."""
    return any(character.isprintable() and not character.isspace() for character in text)


def join_names(names: Sequence[str], max_names: int = 10) -> str:
    """The first ``max_names`` names, separated by commas, and the number of the others: ``a, b and 40 more``."""
    shown = ", ".join(names[:max_names])
    return f"{shown} and {len(names) - max_names} more" if len(names) > max_names else shown


def replace_control_characters(line: str) -> str:
    """Replace control characters, which may form terminal escape sequences in names from outside, by U+FFFD."""
    if line.isascii() and line.isprintable():
        return line
    return "".join("\ufffd" if _is_control(character) else character for character in line)


def _is_control(character: str) -> bool:
    return (unicodedata.category(character) == "Cc" and character not in "\n\t") or character in DIRECTION_MARKS

"""Text that is safe to print to a terminal."""

from __future__ import annotations

import unicodedata

# Characters that change the direction of the rest of the line.
DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(line: str) -> str:
    """The line with control characters replaced: names come from strangers, and may hold commands to the terminal."""
    if line.isascii() and line.isprintable():
        return line
    return "".join("\ufffd" if _is_control(character) else character for character in line)


def _is_control(character: str) -> bool:
    return (unicodedata.category(character) == "Cc" and character not in "\n\t") or character in DIRECTION_MARKS

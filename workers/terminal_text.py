"""Text made safe to print to a terminal: control characters removed."""

from __future__ import annotations

import unicodedata

# What turns the direction of the rest of a line.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(line: str) -> str:
    """The line without what would command the terminal: names come from strangers, and may hold anything."""
    if line.isascii() and line.isprintable():
        return line
    return "".join("\ufffd" if _commands(character) else character for character in line)


def _commands(character: str) -> bool:
    return (unicodedata.category(character) == "Cc" and character not in "\n\t") or character in TURNING

"""Text as Postgres can hold it."""

from __future__ import annotations


def storable(words: str | None) -> str | None:
    """The text without NUL characters, which Postgres refuses."""
    return None if words is None else words.replace("\x00", "")

"""What SQL statements share: states as literals, from the enums of the domain, and text that Postgres can hold."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pipeline.domain.job import FINAL_STATES, OPEN_STATES, OUT_STATES


def sql_list(members: Iterable[StrEnum]) -> str:
    """Members of an enum as a list of SQL literals: ``('waiting', 'sent')``."""
    return "(" + ", ".join(f"'{member.value}'" for member in members) + ")"


SQL_OPEN_STATES = sql_list(OPEN_STATES)
SQL_OUT_STATES = sql_list(OUT_STATES)
SQL_FINAL_STATES = sql_list(FINAL_STATES)


def storable(content: str | None) -> str | None:
    """Return the text without NUL characters, which Postgres refuses."""
    return None if content is None else content.replace("\x00", "")

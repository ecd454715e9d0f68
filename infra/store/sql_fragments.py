"""Parts of SQL statements and their parameters: enum members as literals, texts and reasons as Postgres stores them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from pipeline.domain.job import FINAL_STATES, OPEN_STATES, OUT_STATES
from pipeline.domain.reason import Reason, coded_notes, coded_reason, sentences


def sql_list(members: Iterable[StrEnum]) -> str:
    """Members of an enum as a list of SQL literals: ``('waiting', 'sent')``."""
    return "(" + ", ".join(f"'{member.value}'" for member in members) + ")"


SQL_OPEN_STATES = sql_list(OPEN_STATES)
SQL_OUT_STATES = sql_list(OUT_STATES)
SQL_FINAL_STATES = sql_list(FINAL_STATES)


def storable(content: str | None) -> str | None:
    """Return the text without NUL characters, which Postgres refuses."""
    return None if content is None else content.replace("\x00", "")


def reason_text(reason: Reason | None) -> str | None:
    """The English sentence of a reason, for its text column."""
    return None if reason is None else storable(str(reason))


def reason_json(reason: Reason | None) -> Mapping[str, object] | None:
    """The code and parameters of a reason, for its JSON column; None for a reason that has only a text."""
    coded = coded_reason(reason)
    return None if coded is None else _without_nul(coded)


def reason_json_text(reason: Reason | None) -> str | None:
    """``reason_json`` as text, for statements that cast it."""
    coded = reason_json(reason)
    return None if coded is None else json.dumps(coded)


def notes_text(notes: Sequence[Reason]) -> str | None:
    """The English sentences of notes, for their text column; None without notes."""
    return storable(sentences(notes)) if notes else None


def notes_json(notes: Sequence[Reason]) -> list[Mapping[str, object]] | None:
    """The codes and parameters of notes, for their JSON column; None for notes that have only a text."""
    coded = coded_notes(notes) if notes else None
    return None if coded is None else [_without_nul(note) for note in coded]


def storable_json(value: Any) -> Any:
    """The value with its texts as Postgres can hold them."""
    return _without_nul(value)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return {key: _without_nul(item) for key, item in value.items()} if isinstance(value, dict) else value


def visible_to(source_ids: frozenset[int] | None) -> dict[str, object]:
    """The parameters ``every`` and ``sources`` of statements that are restricted to these sources (None: all)."""
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}

"""What an import changed, product by product, and what a complete one tells about the complete one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from infra.store.imports.differences import former_run
from pipeline.domain.import_run import Difference, ImportStatus
from pipeline.domain.product_source import QueryKind
from pipeline.domain.verdict import Verdict


class DiffKind(StrEnum):
    """The lists that a diff is made of: three of verdicts, two of differences to the run before."""

    NEW = Verdict.NEW
    CHANGED = Verdict.CHANGED
    UNCHANGED = Verdict.UNCHANGED
    CAME_BACK = Difference.CAME_BACK
    VANISHED = Difference.VANISHED


ROWS = """
    SELECT number, external_id, listing_id, CAST(verdict AS text) AS verdict, reason, note FROM import_rows
    WHERE import_id = :id AND number > :after {narrowed} ORDER BY number LIMIT :limit
"""
DIFFERENCES = """
    SELECT number, external_id, listing_id, NULL AS verdict, NULL AS reason, NULL AS note FROM import_differences
    WHERE import_id = :id AND kind = CAST(:kind AS difference) AND number > :after ORDER BY number LIMIT :limit
"""
TOLD = """
    SELECT t.number, t.external_id, t.listing_id, r.name, CAST(l.status AS text) AS status, t.verdict, t.reason, t.note
    FROM ({told}) t LEFT JOIN listings l ON l.id = t.listing_id LEFT JOIN revisions r ON r.id = l.current_revision_id
    ORDER BY t.number
"""
# The revision that came in during the run beside the one it replaced.
CHANGES = text(
    """
    SELECT n.listing_id, n.name <> o.name AS name, n.description <> o.description AS description,
           n.attributes <> o.attributes AS attributes,
           ARRAY(SELECT reference FROM images WHERE revision_id = n.id ORDER BY position)
           <> ARRAY(SELECT reference FROM images WHERE revision_id = o.id ORDER BY position) AS photos
    FROM imports i CROSS JOIN unnest(CAST(:ids AS bigint[])) AS wanted(id)
    CROSS JOIN LATERAL (SELECT * FROM revisions WHERE listing_id = wanted.id AND created_at >= i.started_at
                        AND created_at <= coalesce(i.ended_at, now()) ORDER BY number DESC LIMIT 1) n
    JOIN revisions o ON o.listing_id = n.listing_id AND o.number = n.number - 1
    WHERE i.id = :id
    """
)
FIELDS = ("name", "description", "attributes", "photos")
BY_COMPARISON = frozenset({DiffKind.CAME_BACK, DiffKind.VANISHED})
LISTED_AGAIN = "listed again"


def diff_of(connection: Connection, run: Mapping[str, Any]) -> dict[str, Any]:
    """The counts by kind of an import (as ``find_import`` gives it) and the complete run it is ``compared_with``.

    ``came_back`` and ``vanished`` are None where ``why_not`` says, in a sentence, why they are not known.
    """
    former = former_run(connection, run["id"])
    return {
        "import": run["id"],
        "compared_with": None if former is None or run["vanished"] is None else former.id,
        "before": None if former is None else former.accepted,
        "counts": {kind.value: run[kind.value] for kind in DiffKind},
        "why_not": None if run["vanished"] is not None else _why_not(run, None if former is None else former.id),
    }


def diff_rows(
    connection: Connection, import_id: int, kind: DiffKind, after_number: int, limit: int
) -> list[dict[str, Any]]:
    """Products of a kind beyond row ``after_number``, with name and status as they are now.

    ``number`` is the row in this run, and in the run before for a product that vanished. For changed ones ``changes``
    names what differs from the revision before, as far as that can be told.
    """
    if kind in BY_COMPARISON:
        given = {"id": import_id, "after": after_number, "limit": limit, "kind": kind.value}
        return _rows(connection, DIFFERENCES, given)
    rows = told_rows(connection, import_id, Verdict(kind), after_number, limit)
    if kind is DiffKind.CHANGED:
        changes = _changes(connection, import_id, [row["listing_id"] for row in rows if row["listing_id"]])
        for row in rows:
            row["changes"] = changes.get(row["listing_id"])
    return rows


def told_rows(
    connection: Connection, import_id: int, verdict: Verdict | None, after_number: int, limit: int
) -> list[dict[str, Any]]:
    """Rows of an import beyond ``after_number``, with name and status of their listings as they are now."""
    narrowed = "" if verdict is None else "AND verdict = CAST(:verdict AS verdict)"
    given = {"id": import_id, "after": after_number, "limit": limit} | ({"verdict": verdict} if verdict else {})
    return _rows(connection, ROWS.format(narrowed=narrowed), given)


def _rows(connection: Connection, told: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text(TOLD.format(told=told)), dict(given)).mappings()]


def _changes(connection: Connection, import_id: int, listing_ids: Sequence[int]) -> dict[int, list[str]]:
    found = connection.execute(CHANGES, {"id": import_id, "ids": list(listing_ids)}).mappings()
    return {row["listing_id"]: [field for field in FIELDS if row[field]] or [LISTED_AGAIN] for row in found}


def _why_not(run: Mapping[str, Any], former_id: int | None) -> str:
    if run["query"] is None:
        return "a file may hold any part of a catalogue; what vanished is told for product databases"
    if run["status"] == ImportStatus.RUNNING:
        return "the run is not over yet"
    if run["status"] != ImportStatus.DONE:
        return "the run did not come to its end"
    if run["query"]["kind"] == QueryKind.CHANGES:
        return "the run asked for changes only, which says nothing about the other products"
    if not run["complete"]:
        return "the run did not meet all there is, so that what it did not meet may well be there"
    if former_id is None:
        return "it is the first run of this query that met all there is"
    return f"the verdicts of import {former_id}, the complete run before it, were purged"

"""Imports as pages and commands show them: progress, the verdicts of their rows, and the products they changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from infra.store.imports.comparison_with_previous import find_previous_import
from infra.store.imports.repository import LOCK_CLASS
from infra.store.sql_fragments import SQL_OPEN_STATES, visible_to
from pipeline.domain.import_run import Difference, ImportStatus, RowVerdict
from pipeline.domain.job import JobState
from pipeline.domain.product_source import QueryKind
from pipeline.domain.reason import Reason, stored_notes
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.verdict import Verdict

# ``share`` is the one that the source reported, else computed from the number of rows.
IMPORT_VIEW = """
    SELECT i.id, s.name AS source, i.origin, i.status::text AS status, i.query ->> 'database' AS database,
           i.query - 'database' AS query, i.collection_id AS collection, i.complete, i.total,
           coalesce(CAST(i.cursor ->> 'row' AS integer), 0) AS row,
           CASE WHEN i.status = 'done' THEN 1.0 WHEN i.cursor ->> 'share' IS NOT NULL
                THEN CAST(i.cursor ->> 'share' AS float) WHEN i.total > 0
                THEN least(1.0, coalesce(CAST(i.cursor ->> 'row' AS float), 0.0) / i.total) END AS share,
           i.new, i.changed, i.unchanged, i.rejected, i.variant, i.without_photo, i.vanished, i.came_back, i.note,
           i.coded_note, i.summary, i.started_at, i.ended_at
    FROM imports i JOIN sources s ON s.id = i.source_id WHERE (:every OR i.source_id = ANY(:sources))
"""
SELECT_IMPORT_PAGE = text(
    f"{IMPORT_VIEW} AND (CAST(:before AS bigint) IS NULL OR i.id < :before) ORDER BY i.id DESC LIMIT :limit"
)
SELECT_IMPORT_VIEW = text(f"{IMPORT_VIEW} AND i.id = :id")
# The condition on listing_id lets Postgres use an index of open jobs only.
SELECT_IMPORT_JOBS = text(
    f"""
    SELECT CAST(payload ->> 'import_id' AS bigint) AS import_id, state, note, not_before > now() AS later, not_before
    FROM jobs WHERE kind = 'collect' AND listing_id IS NULL AND state IN {SQL_OPEN_STATES}
    AND payload ? 'import_id'
    """
)
SELECT_LOCKED_IMPORTS = text(
    """
    SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = :class AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)
SELECT_VERDICTS = text(
    """
    SELECT number, external_id, CAST(verdict AS text) AS verdict, listing_id, reason, coded_reason, note, coded_notes
    FROM import_rows
    WHERE import_id = :id AND number > :after
      AND (CAST(:verdict AS text) IS NULL OR verdict = CAST(:verdict AS verdict))
    ORDER BY number LIMIT :limit
    """
)
SELECT_WITH_VERDICT = """
    SELECT number, external_id, listing_id, CAST(verdict AS text) AS verdict, reason, coded_reason, note, coded_notes
    FROM import_rows WHERE import_id = :id AND number > :after {condition} ORDER BY number LIMIT :limit
"""
SELECT_WITH_DIFFERENCE = """
    SELECT number, external_id, listing_id, NULL AS verdict, NULL AS reason, NULL AS coded_reason, NULL AS note,
           NULL AS coded_notes
    FROM import_differences WHERE import_id = :id AND kind = CAST(:kind AS difference) AND number > :after
    ORDER BY number LIMIT :limit
"""
SELECT_PRODUCTS = """
    SELECT t.number, t.external_id, t.listing_id, r.name, CAST(l.status AS text) AS status, t.verdict, t.reason,
           t.coded_reason, t.note, t.coded_notes
    FROM ({rows}) t LEFT JOIN listings l ON l.id = t.listing_id LEFT JOIN revisions r ON r.id = l.current_revision_id
    ORDER BY t.number
"""
# Compares the revision that the import wrote with the one that it replaced.
SELECT_CHANGED_FIELDS = text(
    """
    SELECT n.listing_id, n.name <> o.name AS name, n.description <> o.description AS description,
           n.attributes <> o.attributes AS attributes,
           ARRAY(SELECT reference FROM images WHERE revision_id = n.id ORDER BY position)
           <> ARRAY(SELECT reference FROM images WHERE revision_id = o.id ORDER BY position) AS photos
    FROM imports i CROSS JOIN unnest(CAST(:ids AS bigint[])) AS changed(id)
    CROSS JOIN LATERAL (SELECT * FROM revisions WHERE listing_id = changed.id AND created_at >= i.started_at
                        AND created_at <= coalesce(i.ended_at, now()) ORDER BY number DESC LIMIT 1) n
    JOIN revisions o ON o.listing_id = n.listing_id AND o.number = n.number - 1
    WHERE i.id = :id
    """
)
COUNT_UNDECIDED = text(
    f"""
    SELECT count(DISTINCT r.listing_id) FROM import_rows r JOIN jobs j ON j.listing_id = r.listing_id
    WHERE r.import_id = :id AND j.state IN {SQL_OPEN_STATES}
    """
)
COUNT_BY_DECISION = text(
    f"""
    SELECT CASE WHEN d.job_id IS NOT NULL THEN 'dead' ELSE CAST(l.status AS text) END AS status, count(*) AS number
    FROM (SELECT DISTINCT listing_id FROM import_rows WHERE import_id = :id AND listing_id IS NOT NULL) r
    JOIN listings l ON l.id = r.listing_id
    LEFT JOIN LATERAL (SELECT d.job_id FROM jobs j JOIN dead_letters d ON d.job_id = j.id AND d.replayed_at IS NULL
                       WHERE j.revision_id = l.current_revision_id AND j.state = '{JobState.DEAD}' LIMIT 1) d ON true
    GROUP BY 1
    """
)
COMPARED_FIELDS = ("name", "description", "attributes", "photos")
LISTED_AGAIN = "listed again"


class DifferenceKind(StrEnum):
    """The lists of an import's products: three by verdict, two by comparison with the previous import."""

    NEW = Verdict.NEW
    CHANGED = Verdict.CHANGED
    UNCHANGED = Verdict.UNCHANGED
    CAME_BACK = Difference.CAME_BACK
    VANISHED = Difference.VANISHED


BY_COMPARISON = frozenset({DifferenceKind.CAME_BACK, DifferenceKind.VANISHED})


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import with its progress. ``share`` (0 to 1) is None where it is unknown.

    ``doing`` says what an unfinished import does or waits for, and is None for all others. ``query`` (kind, value,
    limit), ``database`` and ``complete`` are None for a file.
    """

    id: int
    source: str
    origin: str
    status: str
    database: str | None
    query: Mapping[str, Any] | None
    collection: int | None
    complete: bool | None
    total: int | None
    row: int
    share: float | None
    new: int
    changed: int
    unchanged: int
    rejected: int
    variant: int
    without_photo: int
    vanished: int | None
    came_back: int | None
    note: str | None
    coded_note: Mapping[str, Any] | None
    summary: Mapping[str, Any] | None
    started_at: datetime
    ended_at: datetime | None
    doing: Reason | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields by name, ``doing`` as an English sentence."""
        return asdict(self) | {"doing": None if self.doing is None else str(self.doing)}


@dataclass(frozen=True, slots=True)
class ImportDifferences:
    """The number of an import's products of each kind, and the complete import it was ``compared_with``.

    ``before`` is the number of products of that import. If ``came_back`` and ``vanished`` are unknown, their counts are
    None and ``why_not`` says why.
    """

    compared_with: int | None
    before: int | None
    counts: Mapping[str, int | None]
    why_not: Reason | None

    def as_json(self) -> dict[str, Any]:
        """The fields by name, ``why_not`` as an English sentence."""
        return asdict(self) | {"why_not": None if self.why_not is None else str(self.why_not)}


@dataclass(frozen=True, slots=True)
class ImportedProduct:
    """A row of an import with the present state of its listing.

    ``number`` is that of the row, for a vanished product that of its row in the previous import. ``changes`` names what
    differs from the previous revision; it is None unless the product changed and both revisions are known.
    """

    number: int
    external_id: str | None
    listing_id: int | None
    name: str | None
    status: str | None
    verdict: str | None
    reason: str | None
    coded_reason: Mapping[str, Any] | None
    note: str | None
    coded_notes: Sequence[Mapping[str, Any]] | None
    changes: list[str] | None = None


def list_imports(
    connection: Connection, source_ids: frozenset[int] | None, before_id: int | None, limit: int
) -> list[ImportView]:
    """Imports into these sources (None: all), newest first, with ids below ``before_id``."""
    parameters = visible_to(source_ids) | {"before": before_id, "limit": limit}
    rows = connection.execute(SELECT_IMPORT_PAGE, parameters).mappings()
    return _with_activity(connection, [ImportView(**row) for row in rows])


def find_import(connection: Connection, import_id: int, source_ids: frozenset[int] | None) -> ImportView | None:
    """One import into these sources (None: all), or None."""
    row = connection.execute(SELECT_IMPORT_VIEW, visible_to(source_ids) | {"id": import_id}).mappings().first()
    return None if row is None else _with_activity(connection, [ImportView(**row)])[0]


def list_verdicts(
    connection: Connection, import_id: int, verdict: Verdict | None, after_number: int, limit: int
) -> list[RowVerdict]:
    """Verdicts of an import (None: all kinds) on rows after ``after_number``, in order of the rows."""
    parameters = {"id": import_id, "verdict": verdict, "after": after_number, "limit": limit}
    rows = connection.execute(SELECT_VERDICTS, parameters)
    return [
        RowVerdict(
            row.number,
            row.external_id,
            Verdict(row.verdict),
            row.listing_id,
            None if row.reason is None else Reason.stored(row.coded_reason, row.reason),
            stored_notes(row.coded_notes, row.note),
        )
        for row in rows
    ]


def find_differences(connection: Connection, import_view: ImportView) -> ImportDifferences:
    """The number of an import's products of each kind."""
    previous = find_previous_import(connection, import_view.id)
    previous_id = None if previous is None else previous.id
    is_compared = import_view.vanished is not None
    return ImportDifferences(
        previous_id if is_compared else None,
        None if previous is None else previous.accepted,
        {kind.value: getattr(import_view, kind.value) for kind in DifferenceKind},
        None if is_compared else _why_not_compared(import_view, previous_id),
    )


def list_products_of_kind(
    connection: Connection, import_id: int, kind: DifferenceKind, after_number: int, limit: int
) -> list[ImportedProduct]:
    """An import's products of one kind, from rows after ``after_number``."""
    if kind in BY_COMPARISON:
        parameters = {"id": import_id, "after": after_number, "limit": limit, "kind": kind.value}
        return _products(connection, SELECT_WITH_DIFFERENCE, parameters)
    products = list_products(connection, import_id, Verdict(kind), after_number, limit)
    if kind is not DifferenceKind.CHANGED:
        return products
    listing_ids = [product.listing_id for product in products if product.listing_id]
    changes = _changed_fields(connection, import_id, listing_ids)
    return [replace(product, changes=changes.get(product.listing_id or 0)) for product in products]


def list_products(
    connection: Connection, import_id: int, verdict: Verdict | None, after_number: int, limit: int
) -> list[ImportedProduct]:
    """Rows of an import with one verdict (None: all), after row ``after_number``, with their listings."""
    condition = "" if verdict is None else "AND verdict = CAST(:verdict AS verdict)"
    parameters = {"id": import_id, "after": after_number, "limit": limit}
    return _products(
        connection,
        SELECT_WITH_VERDICT.format(condition=condition),
        parameters if verdict is None else parameters | {"verdict": verdict},
    )


def count_undecided(connection: Connection, import_id: int) -> int:
    """How many listings of an import have an open job."""
    return int(connection.execute(COUNT_UNDECIDED, {"id": import_id}).scalar_one())


def count_by_decision(connection: Connection, import_id: int) -> dict[str, int]:
    """How many listings of an import have each status; ``dead`` are those whose job is a dead letter."""
    return {row.status: row.number for row in connection.execute(COUNT_BY_DECISION, {"id": import_id})}


def _products(connection: Connection, row_query: str, parameters: Mapping[str, Any]) -> list[ImportedProduct]:
    products = connection.execute(text(SELECT_PRODUCTS.format(rows=row_query)), dict(parameters)).mappings()
    return [ImportedProduct(**product) for product in products]


def _changed_fields(connection: Connection, import_id: int, listing_ids: Sequence[int]) -> dict[int, list[str]]:
    rows = connection.execute(SELECT_CHANGED_FIELDS, {"id": import_id, "ids": list(listing_ids)}).mappings()
    return {row["listing_id"]: [field for field in COMPARED_FIELDS if row[field]] or [LISTED_AGAIN] for row in rows}


def _why_not_compared(import_view: ImportView, previous_id: int | None) -> Reason:
    if import_view.query is None:
        return Reason(ReasonCode.VANISHED_IN_FILE)
    if import_view.status == ImportStatus.RUNNING:
        return Reason(ReasonCode.IMPORT_RUNNING)
    if import_view.status != ImportStatus.DONE:
        return Reason(ReasonCode.IMPORT_UNFINISHED)
    if import_view.query["kind"] == QueryKind.CHANGES:
        return Reason(ReasonCode.ONLY_CHANGES_READ)
    if not import_view.complete:
        return Reason(ReasonCode.IMPORT_INCOMPLETE)
    if previous_id is None:
        return Reason(ReasonCode.FIRST_COMPLETE_IMPORT)
    return Reason.of(ReasonCode.VERDICTS_PURGED, id=previous_id)


def _with_activity(connection: Connection, imports: Sequence[ImportView]) -> list[ImportView]:
    if all(view.status == ImportStatus.DONE for view in imports):
        return list(imports)
    jobs = {job["import_id"]: dict(job) for job in connection.execute(SELECT_IMPORT_JOBS).mappings()}
    locked_ids = set(connection.scalars(SELECT_LOCKED_IMPORTS, {"class": LOCK_CLASS}))
    return [_with_own_activity(view, jobs.get(view.id), locked=view.id in locked_ids) for view in imports]


def _with_own_activity(view: ImportView, job: Mapping[str, Any] | None, *, locked: bool) -> ImportView:
    if job is not None:  # a failed import may have a job that continues it
        return replace(view, doing=_activity(job))
    if view.status != ImportStatus.RUNNING:
        return view
    if locked:
        return replace(view, doing=Reason(ReasonCode.AT_WORK))
    interrupted = Reason(ReasonCode.IMPORT_INTERRUPTED)
    return replace(view, note=str(interrupted), coded_note=interrupted.as_json())


def _activity(job: Mapping[str, Any]) -> Reason:
    if job["state"] == JobState.LEASED:
        return Reason.other(job["note"]) if job["note"] else Reason(ReasonCode.AT_WORK)
    if job["later"] and job["note"]:
        return Reason.of(ReasonCode.WAITING_UNTIL, cause=job["note"], time=f"{job['not_before']:%H:%M:%S}")
    return Reason(ReasonCode.WAITING_FOR_TURN)

"""Imports: one run over a catalogue file, its verdicts row by row, and what became of its listings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from infra.store.models.arrivals import ImportRow, ImportRowRow, RunStatus
from pipeline.domain.listing import Verdict

COUNT = text(
    """
    UPDATE imports SET new = new + :new, changed = changed + :changed, unchanged = unchanged + :unchanged,
           rejected = rejected + :rejected WHERE id = :id
    """
)
KNOWN = text(
    """
    SELECT l.external_id, r.fingerprint FROM listings l JOIN sources s ON s.id = l.source_id
    JOIN revisions r ON r.id = l.current_revision_id
    WHERE s.name = :source AND l.external_id = ANY(:ids) AND l.withdrawn_at IS NULL
    """
)
OPEN_LISTINGS = text(
    """
    SELECT count(DISTINCT r.listing_id) FROM import_rows r JOIN jobs j ON j.listing_id = r.listing_id
    WHERE r.import_id = :id AND j.state IN ('waiting', 'sent', 'leased')
    """
)
OUTCOME = text(
    """
    SELECT CASE WHEN d.job_id IS NOT NULL THEN 'dead' ELSE CAST(l.status AS text) END AS ending, count(*) AS number
    FROM (SELECT DISTINCT listing_id FROM import_rows WHERE import_id = :id AND listing_id IS NOT NULL) r
    JOIN listings l ON l.id = r.listing_id
    LEFT JOIN LATERAL (SELECT d.job_id FROM jobs j JOIN dead_letters d ON d.job_id = j.id AND d.replayed_at IS NULL
                       WHERE j.revision_id = l.current_revision_id AND j.state = 'dead' LIMIT 1) d ON true
    GROUP BY 1
    """
)


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """The verdict of one row (its number, from 1); ``reason`` is set for rejected rows only."""

    number: int
    external_id: str | None
    verdict: Verdict
    listing_id: int | None = None
    reason: str | None = None


def begin_import(connection: Connection, source_id: int, origin: str, total: int | None) -> int:
    """Open an import; returns its id."""
    return connection.execute(
        insert(ImportRow)
        .values(source_id=source_id, origin=origin, status=RunStatus.RUNNING, total=total)
        .returning(ImportRow.id)
    ).scalar_one()


def add_rows(connection: Connection, import_id: int, rows: Sequence[JudgedRow]) -> None:
    """Write verdicts and count them, in the caller's transaction."""
    if not rows:
        return
    connection.execute(
        insert(ImportRowRow),
        [
            {
                "import_id": import_id,
                "number": row.number,
                "external_id": row.external_id,
                "listing_id": row.listing_id,
                "verdict": row.verdict,
                "reason": row.reason,
            }
            for row in rows
        ],
    )
    counts = Counter(row.verdict for row in rows)
    connection.execute(COUNT, {"id": import_id, **{verdict.value: counts[verdict] for verdict in Verdict}})


def end_import(connection: Connection, import_id: int, status: RunStatus, note: str | None = None) -> None:
    """Close an import."""
    connection.execute(
        text("UPDATE imports SET status = CAST(:status AS run_status), note = :note, ended_at = now() WHERE id = :id"),
        {"id": import_id, "status": status, "note": note},
    )


def known_fingerprints(connection: Connection, source: str, external_ids: Sequence[str]) -> dict[str, str]:
    """The fingerprints of the current revisions of those listings that are there and not withdrawn."""
    rows = connection.execute(KNOWN, {"source": source, "ids": list(external_ids)})
    return {row.external_id: row.fingerprint for row in rows}


def undecided(connection: Connection, import_id: int) -> int:
    """How many listings of an import have an open job."""
    return int(connection.execute(OPEN_LISTINGS, {"id": import_id}).scalar_one())


def outcome(connection: Connection, import_id: int) -> dict[str, int]:
    """How the listings of an import stand: counts by status, and ``dead`` for those in the dead letters."""
    return {row.ending: row.number for row in connection.execute(OUTCOME, {"id": import_id})}

"""Imports: one run over a catalogue file, its verdicts row by row, and what became of its listings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from infra.store.models.arrivals import ImportRowRow, RunStatus
from pipeline.domain.errors import Conflict
from pipeline.domain.listing import Verdict
from pipeline.domain.work import JudgedRow

COUNT = text(
    """
    UPDATE imports SET new = new + :new, changed = changed + :changed, unchanged = unchanged + :unchanged,
           rejected = rejected + :rejected, without_photo = without_photo + :without_photo,
           cursor = cursor || jsonb_build_object('row', CAST(:last AS integer))
    WHERE id = :id AND status = 'running' AND coalesce(CAST(cursor ->> 'row' AS integer), 0) = :first - 1
    """
)
MET = text("SELECT external_id, number FROM import_rows WHERE import_id = :id AND verdict <> 'rejected'")
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


class SqlImports:
    """Implements ``pipeline.ports.ImportRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_page(self, import_id: int, rows: Sequence[JudgedRow], without_photo: int) -> None:
        """Write the verdicts of the next rows, count them and move the cursor; Conflict when they are not the next."""
        if not rows:
            return
        counts = Counter(row.verdict for row in rows)
        moved = self._connection.execute(
            COUNT,
            {
                "id": import_id,
                **{verdict.value: counts[verdict] for verdict in Verdict},
                "without_photo": without_photo,
                "first": rows[0].number,
                "last": rows[-1].number,
            },
        )
        if moved.rowcount != 1:
            raise Conflict(f"import {import_id} does not stand at row {rows[0].number - 1}: somebody else is at it")
        self._connection.execute(
            insert(ImportRowRow),
            [
                {
                    "import_id": import_id,
                    "number": row.number,
                    "external_id": row.external_id,
                    "listing_id": row.listing_id,
                    "verdict": row.verdict,
                    "reason": row.reason,
                    "note": row.note,
                }
                for row in rows
            ],
        )


def met_ids(connection: Connection, import_id: int) -> Iterator[tuple[str, int]]:
    """The ids of the rows that an import took in, and their numbers; read as a stream."""
    rows = connection.execution_options(yield_per=5_000).execute(MET, {"id": import_id})
    return ((row.external_id, row.number) for row in rows)


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

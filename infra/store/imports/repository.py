"""Imports: one run over a catalogue file, its verdicts row by row, and what became of its listings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from infra.store.imports import bulk, differences
from infra.store.imports.opening import begin_import, begin_or_go_on, in_hand, wanted_of
from infra.store.imports.tables import ImportVerdictRow
from infra.store.rules import proposal_jobs
from infra.store.sql import SQL_OPEN_STATES
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import EncodedRows, ImportRun, ImportStatus, PageCounts, RowVerdict
from pipeline.domain.job import JobState, Requested
from pipeline.domain.product_source import ProductQuery, SourceCursor
from pipeline.domain.verdict import Verdict

COUNT = text(
    """
    UPDATE imports SET new = new + :new, changed = changed + :changed, unchanged = unchanged + :unchanged,
           rejected = rejected + :rejected, without_photo = without_photo + :without_photo,
           cursor = cursor || jsonb_build_object('row', CAST(:last AS integer)) || CAST(:following AS jsonb)
    WHERE id = :id AND status = 'running' AND coalesce(CAST(cursor ->> 'row' AS integer), 0) = :first - 1
    """
)
GO_ON = text(
    """
    UPDATE imports SET cursor = cursor - 'waits_since' || jsonb_build_object('at', now()) || CAST(:place AS jsonb),
           total = coalesce(:total, total), complete = :complete
    WHERE id = :id AND status = 'running' AND coalesce(CAST(cursor ->> 'row' AS integer), 0) = :row
    """
)
BEGIN_ANEW = text(
    """
    UPDATE imports SET new = 0, changed = 0, unchanged = 0, rejected = 0, without_photo = 0, total = NULL,
           cursor = jsonb_build_object('at', now())
    WHERE id = :id AND status = 'running'
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
    f"""
    SELECT count(DISTINCT r.listing_id) FROM import_rows r JOIN jobs j ON j.listing_id = r.listing_id
    WHERE r.import_id = :id AND j.state IN {SQL_OPEN_STATES}
    """
)
OUTCOME = text(
    f"""
    SELECT CASE WHEN d.job_id IS NOT NULL THEN 'dead' ELSE CAST(l.status AS text) END AS ending, count(*) AS number
    FROM (SELECT DISTINCT listing_id FROM import_rows WHERE import_id = :id AND listing_id IS NOT NULL) r
    JOIN listings l ON l.id = r.listing_id
    LEFT JOIN LATERAL (SELECT d.job_id FROM jobs j JOIN dead_letters d ON d.job_id = j.id AND d.replayed_at IS NULL
                       WHERE j.revision_id = l.current_revision_id AND j.state = '{JobState.DEAD}' LIMIT 1) d ON true
    GROUP BY 1
    """
)


class SqlImports:
    """Implements ``pipeline.ports.repositories.ImportRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin_or_continue(
        self, source_id: int, database: str, query: ProductQuery, *, afresh: bool = False
    ) -> Requested:
        """The import of a query into a source, which is locked: one in progress, or (new) begun or continued now."""
        import_id, begun = begin_or_go_on(self._connection, wanted_of(source_id, database, query), afresh)
        return Requested(import_id, is_new=begun)

    def find_in_progress(self, source_id: int, database: str, query: ProductQuery) -> int | None:
        """The import of a query into a source that a process or a job is working on, or None."""
        return in_hand(self._connection, wanted_of(source_id, database, query))

    def begin(self, source_id: int, database: str, query: ProductQuery, unique_key: str) -> int | None:
        """Begin an import of a query into a source; None when the unique key is taken."""
        return begin_import(self._connection, wanted_of(source_id, database, query, unique_key))

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        """Write the verdicts of the next rows, count them and move the cursor; Conflict when they are not the next."""
        if not rows:
            return
        counts = Counter(row.verdict for row in rows)
        self._advance(import_id, counts, without_photo, rows[0].number, rows[-1].number, {})
        self._connection.execute(
            insert(ImportVerdictRow),
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

    def advance(self, run: ImportRun) -> None:
        """Write how far a run is, with where its source goes on; Conflict when it does not stand at ``run.row``."""
        place = {"following": run.following, "ended": run.ended, "share": run.share}
        if run.next_time is not None:
            place["next_time"] = run.next_time
        moved = self._connection.execute(
            GO_ON,
            {
                "id": run.id,
                "row": run.row,
                "place": json.dumps(place),
                "total": run.total,
                "complete": run.complete if run.ended else None,
            },
        )
        if moved.rowcount != 1:
            raise Conflict(f"import {run.id} does not stand at row {run.row}: somebody else is at it")

    def restart(self, import_id: int) -> ImportRun:
        """Forget the verdicts and the place of a run; what was taken in stays. Conflict when it is not running."""
        if self._connection.execute(BEGIN_ANEW, {"id": import_id}).rowcount != 1:
            raise Conflict(f"import {import_id} is not running any more")
        self._connection.execute(text("DELETE FROM import_rows WHERE import_id = :id"), {"id": import_id})
        return ImportRun(import_id)

    def add_encoded_rows(
        self, source_id: int, import_id: int, rows: EncodedRows, following: SourceCursor | None = None
    ) -> PageCounts:
        """A large page at once, see the port; the statements are in ``infra.store.imports.bulk``."""
        counts = bulk.import_rows(self._connection, source_id, import_id, rows)
        self._advance(import_id, counts.verdicts, counts.without_photo, rows.first, rows.last, {"following": following})
        bulk.write_verdicts(self._connection, import_id)
        return counts

    def _advance(
        self,
        import_id: int,
        counts: Counter[Verdict],
        without_photo: int,
        first: int,
        last: int,
        place: Mapping[str, SourceCursor | None],
    ) -> None:
        moved = self._connection.execute(
            COUNT,
            {
                "id": import_id,
                **{verdict.value: counts[verdict] for verdict in Verdict},
                "without_photo": without_photo,
                "first": first,
                "last": last,
                "following": json.dumps(place),
            },
        )
        if moved.rowcount != 1:
            raise Conflict(f"import {import_id} does not stand at row {first - 1}: somebody else is at it")


def met_ids(connection: Connection, import_id: int) -> Iterator[tuple[str, int]]:
    """The ids of the rows that an import took in, and their numbers; read as a stream."""
    rows = connection.execution_options(yield_per=5_000).execute(MET, {"id": import_id})
    return ((row.external_id, row.number) for row in rows)


def end_import(connection: Connection, import_id: int, status: ImportStatus, note: str | None = None) -> None:
    """Close an import; one that is done is compared with the last complete run of its query, and what it brought of
    categories without a rule is proposed one by a job.
    """
    connection.execute(
        text("UPDATE imports SET status = CAST(:status AS run_status), note = :note, ended_at = now() WHERE id = :id"),
        {"id": import_id, "status": status, "note": note},
    )
    if status == ImportStatus.DONE:
        differences.conclude(connection, import_id)
        proposal_jobs.map_what_is_new(connection, import_id)


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

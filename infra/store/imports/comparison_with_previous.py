"""How a complete import differs from the previous complete import of the same query; recorded when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.domain.errors import NotFound
from pipeline.domain.import_run import VanishedListing, VanishedProducts
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# An import that was cut off by a limit, or that only asked for changes, says nothing about products it did not see.
SELECT_PREVIOUS_IMPORT = text(
    """
    SELECT p.id, coalesce(CAST(p.cursor ->> 'row' AS integer), 0) AS row, p.new + p.changed + p.unchanged AS accepted
    FROM imports i
    JOIN imports p ON p.source_id = i.source_id AND p.fingerprint = i.fingerprint AND p.id < i.id
    WHERE i.id = :id AND i.query IS NOT NULL AND i.complete AND i.status = 'done' AND p.complete AND p.status = 'done'
    ORDER BY p.id DESC LIMIT 1
    """
)
COUNT_VERDICTS = text("SELECT count(*) FROM import_rows WHERE import_id = :id")
DELETE_DIFFERENCES = text("DELETE FROM import_differences WHERE import_id = :id")
# A product that was rejected still exists: only an external id that no row has at all has vanished.
INSERT_VANISHED = text(
    """
    INSERT INTO import_differences (import_id, kind, number, external_id, listing_id)
    SELECT :id, 'vanished', p.number, p.external_id, p.listing_id FROM import_rows p
    WHERE p.import_id = :previous AND p.verdict NOT IN ('rejected', 'variant') AND NOT EXISTS (
        SELECT 1 FROM import_rows n WHERE n.import_id = :id AND n.external_id = p.external_id)
    """
)
INSERT_CAME_BACK = text(
    """
    INSERT INTO import_differences (import_id, kind, number, external_id, listing_id)
    SELECT :id, 'came_back', n.number, n.external_id, n.listing_id FROM import_rows n
    WHERE n.import_id = :id AND n.verdict NOT IN ('rejected', 'variant') AND n.external_id IN (
        SELECT d.external_id FROM imports i
        JOIN imports e ON e.source_id = i.source_id AND e.fingerprint = i.fingerprint AND e.id < i.id
        JOIN import_differences d ON d.import_id = e.id AND d.kind = 'vanished' WHERE i.id = :id)
    AND NOT EXISTS (SELECT 1 FROM import_rows p WHERE p.import_id = :previous AND p.external_id = n.external_id)
    """
)
UPDATE_DIFFERENCE_COUNTS = text("UPDATE imports SET vanished = :vanished, came_back = :came_back WHERE id = :id")
SELECT_VANISHED_PRODUCTS = text(
    """
    SELECT i.vanished,
           (SELECT max(id) FROM imports l WHERE l.source_id = i.source_id AND l.fingerprint = i.fingerprint
            AND l.id > i.id AND l.status = 'done' AND l.complete) AS later
    FROM imports i WHERE i.id = :id
    """
)
# A listing is not withdrawable if another import has seen the product since, if the latest import of another query has
# it, or if it was posted since.
SELECT_WITHDRAWABLE_LISTINGS = text(
    """
    WITH run AS (SELECT id, source_id, fingerprint, started_at FROM imports WHERE id = :id), sightings AS (
        SELECT w.id FROM imports w, run WHERE w.source_id = run.source_id AND w.id <> run.id
        AND coalesce(w.ended_at, now()) >= run.started_at
        UNION SELECT max(w.id) FROM imports w, run WHERE w.source_id = run.source_id AND w.query IS NOT NULL
        AND w.fingerprint <> run.fingerprint AND w.status = 'done' GROUP BY w.fingerprint
    )
    SELECT d.number, l.id FROM run JOIN import_differences d ON d.import_id = run.id
    JOIN listings l ON l.id = d.listing_id JOIN revisions r ON r.id = l.current_revision_id
    WHERE d.kind = 'vanished' AND d.number > :after AND l.withdrawn_at IS NULL AND r.created_at < run.started_at
    AND NOT EXISTS (
        SELECT 1 FROM import_rows m WHERE m.listing_id = l.id AND m.import_id = ANY(ARRAY(SELECT id FROM sightings)))
    ORDER BY d.number LIMIT :limit
    """
)
COUNT_NOT_WITHDRAWN = text(
    """
    SELECT count(*) FROM import_differences d JOIN listings l ON l.id = d.listing_id
    WHERE d.import_id = :id AND d.kind = 'vanished' AND l.withdrawn_at IS NULL
    """
)


class SqlImportDifferences:
    """Implements ``pipeline.ports.repositories.ImportDifferenceRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(self, import_id: int) -> None:
        """Write and count the products that vanished and came back, by two joins of whole imports."""
        previous = find_previous_import(self._connection, import_id)
        if previous is None or self._connection.scalar(COUNT_VERDICTS, {"id": previous.id}) != previous.row:
            return
        ids = {"id": import_id, "previous": previous.id}
        self._connection.execute(DELETE_DIFFERENCES, ids)
        # The new rows are not analysed yet, so the planner has no statistics and might choose a nested loop, which
        # takes hours where a hash join takes seconds.
        self._connection.execute(text("SET LOCAL enable_nestloop = off"))
        self._connection.execute(text("SET LOCAL work_mem = '64MB'"))
        vanished = self._connection.execute(INSERT_VANISHED, ids).rowcount
        came_back = self._connection.execute(INSERT_CAME_BACK, ids).rowcount
        self._connection.execute(text("SET LOCAL enable_nestloop TO DEFAULT"))
        self._connection.execute(text("SET LOCAL work_mem TO DEFAULT"))
        counts = {"id": import_id, "vanished": vanished, "came_back": came_back}
        self._connection.execute(UPDATE_DIFFERENCE_COUNTS, counts)

    def vanished_products(self, import_id: int) -> VanishedProducts:
        """How many products vanished in an import, and the complete imports before and after it."""
        row = self._connection.execute(SELECT_VANISHED_PRODUCTS, {"id": import_id}).first()
        if row is None:
            raise NotFound(Reason.of(ReasonCode.IMPORT_NOT_FOUND, id=import_id))
        previous = find_previous_import(self._connection, import_id)
        return VanishedProducts(
            import_id,
            row.vanished,
            None if previous is None else previous.id,
            0 if previous is None else previous.accepted,
            row.later,
        )

    def withdrawable(self, import_id: int, after: int, limit: int) -> Sequence[VanishedListing]:
        """Listings that may be withdrawn, with row numbers above ``after``."""
        rows = self._connection.execute(SELECT_WITHDRAWABLE_LISTINGS, {"id": import_id, "after": after, "limit": limit})
        return [VanishedListing(row.number, row.id) for row in rows]

    def count_not_withdrawn(self, import_id: int) -> int:
        """How many listings of products that vanished in an import are not withdrawn."""
        return count_not_withdrawn(self._connection, import_id)


def find_previous_import(connection: Connection, import_id: int) -> Row[Any] | None:
    """The complete import to compare a complete one with: its ``id``, last ``row``, and number of ``accepted`` rows.

    None if there is none, or if the import itself is not done or not complete.
    """
    return connection.execute(SELECT_PREVIOUS_IMPORT, {"id": import_id}).first()


def count_not_withdrawn(connection: Connection, import_id: int) -> int:
    """How many listings of products that vanished in an import are not withdrawn."""
    return int(connection.scalar(COUNT_NOT_WITHDRAWN, {"id": import_id}) or 0)

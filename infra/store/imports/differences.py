"""In what a run of a query differs from the complete run before it: found once, when the run ends well, and kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text

# A run that was cut by a limit, or asked for changes only, says nothing about what it did not meet.
FORMER = text(
    """
    SELECT f.id, coalesce(CAST(f.cursor ->> 'row' AS integer), 0) AS row, f.new + f.changed + f.unchanged AS accepted
    FROM imports i
    JOIN imports f ON f.source_id = i.source_id AND f.fingerprint = i.fingerprint AND f.id < i.id
    WHERE i.id = :id AND i.query IS NOT NULL AND i.complete AND i.status = 'done' AND f.complete AND f.status = 'done'
    ORDER BY f.id DESC LIMIT 1
    """
)
KEPT = text("SELECT count(*) FROM import_rows WHERE import_id = :id")
FORGET = text("DELETE FROM import_differences WHERE import_id = :id")
# Whoever is there but cannot be used this time has been met: only an id that is in no row at all is gone.
VANISHED = text(
    """
    INSERT INTO import_differences (import_id, kind, number, external_id, listing_id)
    SELECT :id, 'vanished', f.number, f.external_id, f.listing_id FROM import_rows f
    WHERE f.import_id = :former AND f.verdict <> 'rejected' AND NOT EXISTS (
        SELECT 1 FROM import_rows n WHERE n.import_id = :id AND n.external_id = f.external_id)
    """
)
CAME_BACK = text(
    """
    INSERT INTO import_differences (import_id, kind, number, external_id, listing_id)
    SELECT :id, 'came_back', n.number, n.external_id, n.listing_id FROM import_rows n
    WHERE n.import_id = :id AND n.verdict <> 'rejected' AND n.external_id IN (
        SELECT d.external_id FROM imports i
        JOIN imports e ON e.source_id = i.source_id AND e.fingerprint = i.fingerprint AND e.id < i.id
        JOIN import_differences d ON d.import_id = e.id AND d.kind = 'vanished' WHERE i.id = :id)
    AND NOT EXISTS (SELECT 1 FROM import_rows f WHERE f.import_id = :former AND f.external_id = n.external_id)
    """
)
COUNT = text("UPDATE imports SET vanished = :vanished, came_back = :came_back WHERE id = :id")


def former_run(connection: Connection, import_id: int) -> Row[Any] | None:
    """The ``id`` of the complete run to compare a complete one with, its number of rows (``row``) and of ``accepted``.

    None when there is none, or when the run itself is not done or not complete.
    """
    return connection.execute(FORMER, {"id": import_id}).first()


def conclude(connection: Connection, import_id: int) -> None:
    """Write what vanished and what came back since the last complete run of the same query, and count both.

    Nothing is written where that cannot be told: for a file, for a run that is not done or not complete, without a
    complete run before it, and when the verdicts of that one were purged. The cost is two joins of whole runs.
    """
    former = former_run(connection, import_id)
    if former is None or connection.scalar(KEPT, {"id": former.id}) != former.row:
        return
    given = {"id": import_id, "former": former.id}
    connection.execute(FORGET, given)
    # The rows of a run are too young for statistics, and probing for each would take hours where hashing takes seconds.
    connection.execute(text("SET LOCAL enable_nestloop = off"))
    connection.execute(text("SET LOCAL work_mem = '64MB'"))
    counts = {
        "vanished": connection.execute(VANISHED, given).rowcount,
        "came_back": connection.execute(CAME_BACK, given).rowcount,
    }
    connection.execute(text("SET LOCAL enable_nestloop TO DEFAULT"))
    connection.execute(text("SET LOCAL work_mem TO DEFAULT"))
    connection.execute(COUNT, {"id": import_id, **counts})

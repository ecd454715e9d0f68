"""Listings whose product vanished from its database are withdrawn, when somebody says so."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Row, text

from infra.store.imports.differences import former_run
from infra.store.jobs.outbox import SqlOutbox
from pipeline.domain.errors import Conflict, NotFound

CHUNK = 2_000
RUN = text("SELECT id, source_id, fingerprint, vanished, started_at FROM imports WHERE id = :id")
LATER = text(
    """
    SELECT max(id) FROM imports WHERE source_id = :source AND fingerprint = :fingerprint AND id > :id
    AND status = 'done' AND complete
    """
)
# Whose rows speak for a product: whatever met it since, and the last run of each other query.
WITNESSES = text(
    """
    SELECT id FROM imports WHERE source_id = :source AND id <> :id AND coalesce(ended_at, now()) >= :started
    UNION SELECT max(id) FROM imports WHERE source_id = :source AND query IS NOT NULL AND fingerprint <> :fingerprint
    AND status = 'done' GROUP BY fingerprint
    """
)
# Only as the source left it: a listing that was posted since is somebody's own by now.
GONE = text(
    """
    SELECT d.number, l.id FROM import_differences d JOIN listings l ON l.id = d.listing_id
    JOIN revisions r ON r.id = l.current_revision_id
    WHERE d.import_id = :id AND d.kind = 'vanished' AND d.number > :after AND l.withdrawn_at IS NULL
      AND r.created_at < :started AND NOT EXISTS (
          SELECT 1 FROM import_rows w WHERE w.listing_id = l.id AND w.import_id = ANY(CAST(:witnesses AS bigint[])))
    ORDER BY d.number LIMIT :chunk
    """
)
HOLD = text("SELECT id FROM listings WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
WITHDRAW = text(
    """
    WITH gone AS (
        UPDATE listings SET status = 'withdrawn', withdrawn_at = now(), updated_at = now() FROM revisions r
        WHERE listings.id = ANY(:ids) AND r.id = current_revision_id AND r.created_at < :started
        AND withdrawn_at IS NULL RETURNING listings.id
    ), told AS (
        INSERT INTO events (kind, listing_id, payload)
        SELECT 'listing_withdrawn', id, jsonb_build_object('vanished_in', CAST(:id AS bigint)) FROM gone ORDER BY id
    )
    SELECT id FROM gone
    """
)
LEFT = text(
    """
    SELECT count(*) FROM import_differences d JOIN listings l ON l.id = d.listing_id
    WHERE d.import_id = :id AND d.kind = 'vanished' AND l.withdrawn_at IS NULL
    """
)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """How many listings were withdrawn, and how many of the vanished are ``kept``: there is another word for them."""

    withdrawn: int
    kept: int


def withdraw_vanished(engine: Engine, import_id: int, even_most: bool = False) -> Withdrawal:
    """Withdraw the listings of the products that vanished in a run, and cancel their jobs; a part at a time.

    Kept are those that another import met since or another query has, and those that were posted since. Called again,
    it goes on. Raises NotFound without such an import; Conflict when nothing is known to have vanished, when the query
    was run to its end again since, and, unless ``even_most``, when more than half of all products would go.
    """
    with engine.connect() as connection:
        run = _checked(connection, import_id, even_most)
        about = {"id": run.id, "source": run.source_id, "fingerprint": run.fingerprint, "started": run.started_at}
    withdrawn, after = 0, -1
    while True:
        with engine.begin() as connection:
            witnesses = list(connection.scalars(WITNESSES, about))  # imports begin meanwhile
            given = about | {"after": after, "chunk": CHUNK, "witnesses": witnesses}
            gone = connection.execute(GONE, given).all()
            if not gone:
                return Withdrawal(withdrawn, still_listed(connection, import_id))
            ids = [row.id for row in gone]
            connection.execute(HOLD, {"ids": ids})
            taken = list(connection.scalars(WITHDRAW, about | {"ids": ids}))
            SqlOutbox(connection).supersede(taken, "the listing was withdrawn")
        withdrawn, after = withdrawn + len(taken), gone[-1].number


def still_listed(connection: Connection, import_id: int) -> int:
    """How many listings of the products that vanished in a run are not withdrawn."""
    return int(connection.scalar(LEFT, {"id": import_id}) or 0)


def looks_like_a_fault(vanished: int, accepted: int) -> bool:
    """Whether so many of the ``accepted`` products of the run before are gone that the database may be at fault."""
    return 2 * vanished > accepted


def _checked(connection: Connection, import_id: int, even_most: bool) -> Row[tuple[object, ...]]:
    run = connection.execute(RUN, {"id": import_id}).first()
    if run is None:
        raise NotFound(f"there is no import {import_id}")
    former = former_run(connection, import_id)
    if run.vanished is None or former is None:
        raise Conflict(f"import {import_id} does not tell what vanished; see why with: rayon imports show {import_id}")
    later = connection.scalar(LATER, {"source": run.source_id, "fingerprint": run.fingerprint, "id": run.id})
    if later is not None:
        raise Conflict(f"the same query was run again since, as import {later}: withdraw what vanished in that one")
    if looks_like_a_fault(run.vanished, former.accepted) and not even_most:
        raise Conflict(
            f"{run.vanished} of the {former.accepted} products of import {former.id} are gone, which may be a fault of "
            "the database; if they are to go nevertheless, say so (--even-most, or even_most in the request)"
        )
    return run

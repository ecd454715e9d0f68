"""Listings, revisions, images and reviews in Postgres."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from infra.store.decisions import EventRow, ReviewRow
from infra.store.listings.tables import ImageRow, ListingRow, ListingStatus, RevisionRow
from infra.store.sql_fragments import storable
from infra.store.taxonomies.repository import add_categories
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import Submission
from pipeline.domain.product_source import Provenance
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.verdict import CurrentRevision

MAX_SEARCH_LENGTH = 2_000

LOCK_LISTINGS = text(
    "SELECT id FROM listings WHERE source_id = :source AND external_id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"
)
SELECT_CURRENT_REVISIONS = text(
    """
    SELECT l.external_id, l.id, l.current_revision_id, coalesce(r.number, 0) AS number, r.fingerprint,
           l.withdrawn_at IS NOT NULL AS withdrawn
    FROM listings l LEFT JOIN revisions r ON r.id = l.current_revision_id
    WHERE l.source_id = :source AND l.external_id = ANY(:ids)
    ORDER BY l.id
    """
)
MAKE_CURRENT = text(
    """
    UPDATE listings SET current_revision_id = new.revision, search = new.search, status = 'pending',
           category = NULL, confidence = NULL, reviewed = false, withdrawn_at = NULL, updated_at = now()
    FROM unnest(CAST(:listings AS bigint[]), CAST(:revisions AS bigint[]), CAST(:searches AS text[]))
         AS new(listing, revision, search)
    WHERE id = new.listing
    """
)
LOCK_LISTINGS_BY_ID = text("SELECT id FROM listings WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
# Only if its revision is older than the import: a listing that was posted since is its seller's.
WITHDRAW_VANISHED = text(
    """
    WITH withdrawn AS (
        UPDATE listings SET status = 'withdrawn', withdrawn_at = now(), updated_at = now() FROM revisions r, imports i
        WHERE listings.id = ANY(:ids) AND r.id = current_revision_id AND i.id = :import AND r.created_at < i.started_at
        AND withdrawn_at IS NULL RETURNING listings.id
    ), announced AS (
        INSERT INTO events (kind, listing_id, payload)
        SELECT 'listing_withdrawn', id, jsonb_build_object('vanished_in', CAST(:import AS bigint))
        FROM withdrawn ORDER BY id
    )
    SELECT id FROM withdrawn
    """
)
# Rows that would not change are left out: an upsert would write them again. In order of listing, so that two imports of
# the same products wait for each other instead of deadlocking.
UPSERT_PROVENANCES = text(
    """
    INSERT INTO provenances (listing_id, database, address, categories, modified_at)
    SELECT n.listing, n.database, n.address, CAST(n.categories AS jsonb), CAST(n.modified AS timestamptz)
    FROM unnest(CAST(:listings AS bigint[]), CAST(:databases AS text[]), CAST(:addresses AS text[]),
                CAST(:categories AS text[]), CAST(:modified_times AS text[]))
         AS n(listing, database, address, categories, modified)
    LEFT JOIN provenances p ON p.listing_id = n.listing
    WHERE p.listing_id IS NULL
       OR (p.database, p.address, p.categories, p.modified_at) IS DISTINCT FROM
          (n.database, n.address, CAST(n.categories AS jsonb), CAST(n.modified AS timestamptz))
    ORDER BY n.listing
    ON CONFLICT (listing_id) DO UPDATE SET database = excluded.database, address = excluded.address,
        categories = excluded.categories, modified_at = excluded.modified_at, seen_at = now()
    """
)


class SqlListings:
    """Implements ``pipeline.ports.repositories.ListingRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def current(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """The current revisions of the listings that exist, by external id; nothing is locked or created."""
        rows = self._connection.execute(SELECT_CURRENT_REVISIONS, {"source": source_id, "ids": list(external_ids)})
        return {
            row.external_id: CurrentRevision(
                row.id, row.current_revision_id, row.number, row.fingerprint, row.withdrawn
            )
            for row in rows
        }

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """Create the missing listings, then lock all of them in order of id."""
        sorted_ids = sorted(set(external_ids))
        # Sorted, so that two batches that create the same listings wait for each other instead of deadlocking.
        self._connection.execute(
            insert(ListingRow)
            .values(
                [
                    {"source_id": source_id, "external_id": external_id, "status": ListingStatus.PENDING}
                    for external_id in sorted_ids
                ]
            )
            .on_conflict_do_nothing()
        )
        # Read by a separate statement: one that waited for a lock would still join the revisions of its old snapshot.
        self._connection.execute(LOCK_LISTINGS, {"source": source_id, "ids": sorted_ids})
        return self.current(source_id, sorted_ids)

    def add_revisions(self, source_id: int, changes: Sequence[tuple[CurrentRevision, Submission]]) -> list[int]:
        """Append a revision with its images to each listing and make it current; returns the revision ids in order."""
        returned = self._connection.execute(
            insert(RevisionRow).returning(RevisionRow.id, sort_by_parameter_order=True),
            [_revision_row(current, submission) for current, submission in changes],
        )
        revision_ids = [row.id for row in returned]
        images = [
            {"revision_id": revision_id, "position": position, "reference": reference, "status": "pending"}
            for revision_id, (_, submission) in zip(revision_ids, changes, strict=True)
            for position, reference in enumerate(submission.content.images)
        ]
        if images:
            self._connection.execute(insert(ImageRow), images)
        self._make_current(revision_ids, changes)
        categories = {submission.content.seller_category for _, submission in changes}
        add_categories(self._connection, source_id, categories)
        return revision_ids

    def _make_current(self, revision_ids: Sequence[int], changes: Sequence[tuple[CurrentRevision, Submission]]) -> None:
        self._connection.execute(
            MAKE_CURRENT,
            {
                "listings": [current.listing_id for current, _ in changes],
                "revisions": list(revision_ids),
                "searches": [_search_text(submission) for _, submission in changes],
            },
        )

    def withdraw(self, listing_id: int) -> bool:
        """Withdraw a listing under its lock; False if it is already withdrawn. Raises NotFound."""
        row = self._connection.execute(
            select(ListingRow.withdrawn_at).where(ListingRow.id == listing_id).with_for_update(key_share=True)
        ).first()
        if row is None:
            raise NotFound(Reason.of(ReasonCode.LISTING_NOT_FOUND, id=listing_id))
        if row.withdrawn_at is not None:
            return False
        self._connection.execute(
            update(ListingRow)
            .where(ListingRow.id == listing_id)
            .values(status=ListingStatus.WITHDRAWN, withdrawn_at=func.now(), updated_at=func.now())
        )
        self._connection.execute(insert(EventRow).values(kind="listing_withdrawn", listing_id=listing_id, payload={}))
        return True

    def withdraw_vanished(self, listing_ids: Sequence[int], import_id: int) -> list[int]:
        """Withdraw those of these listings that were not posted since the import began; returns their ids."""
        self._connection.execute(LOCK_LISTINGS_BY_ID, {"ids": list(listing_ids)})
        return list(self._connection.scalars(WITHDRAW_VANISHED, {"ids": list(listing_ids), "import": import_id}))

    def review(self, listing_id: int, category: str, reviewer: str, note: str) -> None:
        """Write a reviewer's category; the listing gets it at once, and no model changes it."""
        row = self._connection.execute(
            select(ListingRow.current_revision_id, ListingRow.status)
            .where(ListingRow.id == listing_id)
            .with_for_update(key_share=True)
        ).first()
        if row is None or row.status == ListingStatus.WITHDRAWN:
            raise NotFound(f"there is no listing {listing_id} to review")
        self._connection.execute(
            insert(ReviewRow).values(
                listing_id=listing_id,
                revision_id=row.current_revision_id,
                category=category,
                reviewer=reviewer,
                note=note,
            )
        )
        self._connection.execute(
            update(ListingRow)
            .where(ListingRow.id == listing_id)
            .values(
                status=DecisionStatus.ASSIGNED, category=category, confidence=None, reviewed=True, updated_at=func.now()
            )
        )
        self._connection.execute(
            insert(EventRow).values(
                kind="listing_reviewed",
                listing_id=listing_id,
                revision_id=row.current_revision_id,
                payload={"category": category, "reviewer": reviewer},
            )
        )


def _revision_row(current: CurrentRevision, submission: Submission) -> dict[str, object]:
    content = submission.content
    return {
        "listing_id": current.listing_id,
        "number": current.number + 1,
        "fingerprint": content.fingerprint(),
        "name": content.name,
        "description": content.description,
        "attributes": dict(content.attributes),
        "seller_category": content.seller_category,
    }


def _search_text(submission: Submission) -> str:
    """The text that the full-text filter searches; bounded, because index entries are."""
    return f"{submission.external_id} {submission.content.name} {submission.content.description}"[:MAX_SEARCH_LENGTH]


class SqlProvenances:
    """Implements ``pipeline.ports.repositories.ProvenanceRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, provenances: Mapping[int, Provenance]) -> int:
        """Write the provenances, by listing id, that are new or different; returns how many were."""
        values = list(provenances.values())
        result = self._connection.execute(
            UPSERT_PROVENANCES,
            {
                "listings": list(provenances),
                "databases": [provenance.source for provenance in values],
                "addresses": [storable(provenance.address) for provenance in values],
                "categories": [storable(json.dumps(list(provenance.categories))) for provenance in values],
                "modified_times": [
                    provenance.modified_at and provenance.modified_at.isoformat() for provenance in values
                ],
            },
        )
        return result.rowcount

"""Listings, revisions, images and reviews in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from infra.store.decisions.tables import EventRow, ReviewRow
from infra.store.listings.tables import ImageRow, ListingRow, ListingStatus, RevisionRow
from infra.store.taxonomies.repository import add_categories
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import Submission
from pipeline.domain.prediction import DecisionStatus
from pipeline.domain.verdict import CurrentRevision

SEARCH_LENGTH = 2_000

LOCK = text(
    "SELECT id FROM listings WHERE source_id = :source AND external_id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"
)
CURRENT = text(
    """
    SELECT l.external_id, l.id, l.current_revision_id, coalesce(r.number, 0) AS number, r.fingerprint,
           l.withdrawn_at IS NOT NULL AS withdrawn
    FROM listings l LEFT JOIN revisions r ON r.id = l.current_revision_id
    WHERE l.source_id = :source AND l.external_id = ANY(:ids)
    ORDER BY l.id
    """
)


class SqlListings:
    """Implements ``pipeline.ports.repositories.ListingRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def current(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """The current revisions of the listings that exist, by external id; nothing is locked or created."""
        rows = self._connection.execute(CURRENT, {"source": source_id, "ids": list(external_ids)})
        return {
            r.external_id: CurrentRevision(r.id, r.current_revision_id, r.number, r.fingerprint, r.withdrawn)
            for r in rows
        }

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """Create what is missing, then lock all in order of id."""
        wanted = sorted(set(external_ids))
        # Sorted, so that two batches that create the same listings wait for each other instead of deadlocking.
        self._connection.execute(
            insert(ListingRow)
            .values([{"source_id": source_id, "external_id": e, "status": ListingStatus.PENDING} for e in wanted])
            .on_conflict_do_nothing()
        )
        # A statement of its own: one that waited for a lock would still join the revisions of its old snapshot.
        self._connection.execute(LOCK, {"source": source_id, "ids": wanted})
        return self.current(source_id, wanted)

    def add_revisions(self, source_id: int, changes: Sequence[tuple[CurrentRevision, Submission]]) -> list[int]:
        """Append a revision each, with its images, and make it current."""
        returned = self._connection.execute(
            insert(RevisionRow).returning(RevisionRow.id, sort_by_parameter_order=True),
            [_revision(now, submission) for now, submission in changes],
        )
        ids = [row.id for row in returned]
        images = [
            {"revision_id": i, "position": position, "reference": reference, "status": "pending"}
            for i, (_, submission) in zip(ids, changes, strict=True)
            for position, reference in enumerate(submission.content.images)
        ]
        if images:
            self._connection.execute(insert(ImageRow), images)
        self._make_current(ids, changes)
        add_categories(self._connection, source_id, {s.content.seller_category for _, s in changes})
        return ids

    def _make_current(self, ids: Sequence[int], changes: Sequence[tuple[CurrentRevision, Submission]]) -> None:
        self._connection.execute(
            text(
                """
                UPDATE listings SET current_revision_id = new.revision, search = new.search, status = 'pending',
                       category = NULL, confidence = NULL, reviewed = false, withdrawn_at = NULL, updated_at = now()
                FROM unnest(CAST(:listings AS bigint[]), CAST(:revisions AS bigint[]), CAST(:searches AS text[]))
                     AS new(listing, revision, search)
                WHERE id = new.listing
                """
            ),
            {
                "listings": [now.listing_id for now, _ in changes],
                "revisions": list(ids),
                "searches": [_search(submission) for _, submission in changes],
            },
        )

    def withdraw(self, listing_id: int) -> bool:
        """Mark withdrawn, under its lock."""
        row = self._connection.execute(
            select(ListingRow.withdrawn_at).where(ListingRow.id == listing_id).with_for_update(key_share=True)
        ).first()
        if row is None:
            raise NotFound(f"there is no listing {listing_id}")
        if row.withdrawn_at is not None:
            return False
        self._connection.execute(
            update(ListingRow)
            .where(ListingRow.id == listing_id)
            .values(status=ListingStatus.WITHDRAWN, withdrawn_at=func.now(), updated_at=func.now())
        )
        self._connection.execute(insert(EventRow).values(kind="listing_withdrawn", listing_id=listing_id, payload={}))
        return True

    def review(self, listing_id: int, category: str, reviewer: str, note: str) -> None:
        """Write a person's category; the listing shows it at once, whatever a model says later."""
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


def _revision(now: CurrentRevision, submission: Submission) -> dict[str, Any]:
    content = submission.content
    return {
        "listing_id": now.listing_id,
        "number": now.number + 1,
        "fingerprint": content.fingerprint(),
        "name": content.name,
        "description": content.description,
        "attributes": dict(content.attributes),
        "seller_category": content.seller_category,
    }


def _search(submission: Submission) -> str:
    """What the text filter looks at, bounded because an index entry is."""
    return f"{submission.external_id} {submission.content.name} {submission.content.description}"[:SEARCH_LENGTH]

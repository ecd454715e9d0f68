"""Listings, provenances and idempotency keys in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.domain.errors import IdempotencyKeyReused, NotFound
from pipeline.domain.listing import Submission
from pipeline.domain.product_source import Provenance
from pipeline.domain.verdict import CurrentRevision
from pipeline.ports.repositories import IdempotencyKey, StoredAnswer
from tests.fakes.tables import StoredImage, StoredListing, StoredReview, StoredRevision, Tables


class MemoryListings:
    """Implements ``pipeline.ports.repositories.ListingRepository``."""

    def __init__(self, tables: Tables, locked: list[list[str]]) -> None:
        self._tables = tables
        self._locked = locked

    def current(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """The current revisions of the listings that exist."""
        wanted = set(external_ids)
        return {
            listing.external_id: self._current(listing)
            for listing in self._tables.listings.values()
            if listing.source_id == source_id and listing.external_id in wanted
        }

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """Create missing listings and return all current revisions."""
        self._locked.append(sorted(set(external_ids)))
        for external_id in sorted(set(external_ids) - set(self.current(source_id, external_ids))):
            listing_id = self._tables.next_id()
            self._tables.listings[listing_id] = StoredListing(listing_id, source_id, external_id)
        return self.current(source_id, external_ids)

    def add_revisions(self, source_id: int, changes: Sequence[tuple[CurrentRevision, Submission]]) -> list[int]:
        """Append a revision to each listing and make it current."""
        added = []
        for before, submission in changes:
            listing = self._tables.listings[before.listing_id]
            assert listing.source_id == source_id
            revision = StoredRevision(self._tables.next_id(), listing.id, before.number + 1, submission.content)
            self._tables.revisions[revision.id] = revision
            for reference in submission.content.images:
                image = StoredImage(self._tables.next_id(), revision.id, reference)
                self._tables.images[image.id] = image
            listing.revision_id, listing.withdrawn = revision.id, False
            listing.status, listing.category, listing.reviewed = "pending", None, False
            added.append(revision.id)
        return added

    def withdraw(self, listing_id: int) -> bool:
        """Withdraw a listing; False when it already is withdrawn."""
        listing = self._tables.listings.get(listing_id)
        if listing is None:
            raise NotFound(f"there is no listing {listing_id}")
        if listing.withdrawn:
            return False
        listing.withdrawn = True
        self._tables.events.append(("listing_withdrawn", listing_id))
        return True

    def withdraw_vanished(self, listing_ids: Sequence[int], import_id: int) -> list[int]:
        """Withdraw those of these listings that were not posted since the import began."""
        listings = [self._tables.listings[listing_id] for listing_id in listing_ids]
        gone = [one for one in listings if not one.withdrawn and (one.revision_id or 0) < import_id]
        for listing in gone:
            listing.withdrawn = True
            self._tables.events.append(("listing_withdrawn", listing.id))
        return [listing.id for listing in gone]

    def review(self, listing_id: int, category: str, reviewer: str, note: str) -> None:
        """Write a person's category."""
        listing = self._tables.listings.get(listing_id)
        if listing is None or listing.withdrawn:
            raise NotFound(f"there is no listing {listing_id} to review")
        listing.category, listing.reviewed = category, True
        self._tables.reviews.append(StoredReview(listing_id, listing.revision_id, category, reviewer, note))
        self._tables.events.append(("listing_reviewed", listing_id))

    def _current(self, listing: StoredListing) -> CurrentRevision:
        if listing.revision_id is None:
            return CurrentRevision(listing.id, None, 0, None, listing.withdrawn)
        revision = self._tables.revisions[listing.revision_id]
        return CurrentRevision(
            listing.id, revision.id, revision.number, revision.content.fingerprint(), listing.withdrawn
        )


class MemoryProvenances:
    """Implements ``pipeline.ports.repositories.ProvenanceRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def save(self, provenances: Mapping[int, Provenance]) -> int:
        """Write what is new or different, by listing; returns how many were."""
        kept = self._tables.provenances
        different = {listing_id: one for listing_id, one in provenances.items() if kept.get(listing_id) != one}
        kept.update(different)
        return len(different)


class MemoryIdempotency:
    """Implements ``pipeline.ports.repositories.IdempotencyRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def claim(self, key: IdempotencyKey) -> StoredAnswer | None:
        """Claim the key, or return the answer kept for it."""
        kept = self._tables.answers.setdefault((key.owner, key.key), (key.body_hash, None))
        if kept[0] != key.body_hash:
            raise IdempotencyKeyReused(f"the Idempotency-Key '{key.key}' was used before with another body")
        return kept[1]

    def keep(self, key: IdempotencyKey, answer: StoredAnswer) -> None:
        """Keep the answer of a claimed key."""
        self._tables.answers[(key.owner, key.key)] = (key.body_hash, answer)

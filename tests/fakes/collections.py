"""Collections in memory."""

from __future__ import annotations

from infra.schedules import next_after
from pipeline.domain.collection import Collection, CollectionRequest
from pipeline.domain.errors import NotFound
from tests.fakes.tables import StoredCollection, Tables


class MemoryCollections:
    """Implements ``pipeline.ports.administration_repositories.CollectionRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def lock(self, collection_id: int, source_ids: frozenset[int] | None) -> Collection:
        """A collection into one of these sources (None: all)."""
        stored = self._tables.collections.get(collection_id)
        if stored is None or (source_ids is not None and stored.request.source_id not in source_ids):
            raise NotFound(f"there is no collection {collection_id}")
        return _collection(stored)

    def find_same(self, request: CollectionRequest) -> Collection | None:
        """The collection of the same query into the same source, or None."""
        for stored in self._tables.collections.values():
            known = (stored.request.source_id, stored.request.fingerprint)
            if known == (request.source_id, request.fingerprint):
                return _collection(stored)
        return None

    def add(self, request: CollectionRequest) -> int | None:
        """Add a collection; None when there is one of the same query into the source."""
        if self.find_same(request) is not None:
            return None
        stored = StoredCollection(self._tables.next_id(), request, None)
        self._tables.collections[stored.id] = stored
        self.reschedule(stored.id, request.schedule, paused=False)
        return stored.id

    def reschedule(self, collection_id: int, schedule: str | None, *, paused: bool) -> None:
        """Change schedule and pause."""
        stored = self._tables.collections[collection_id]
        due = schedule is not None and not paused
        next_at = next_after(schedule, self._tables.moment) if schedule is not None and due else None
        stored.schedule, stored.paused, stored.next_at = schedule, paused, next_at

    def remove(self, collection_id: int) -> None:
        """Delete a collection."""
        del self._tables.collections[collection_id]

    def lock_due(self) -> Collection | None:
        """The collection that has been due for longest; None when none is due."""
        now = self._tables.moment
        due = [(stored.next_at, stored.id) for stored in self._tables.collections.values() if stored.next_at]
        first = min((pair for pair in due if pair[0] <= now), default=None)
        return None if first is None else _collection(self._tables.collections[first[1]])


def _collection(stored: StoredCollection) -> Collection:
    request = stored.request
    return Collection(
        stored.id, request.source_id, request.database, request.query, stored.schedule, stored.paused, stored.next_at
    )

"""Collections: queries to product databases that run on a schedule or on request; each run is an import.

Workers run the imports, at most one at a time per query and source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.domain.collection import (
    Collection,
    CollectionRequest,
    CollectionUpdate,
    NewSchedule,
    ProductRequest,
)
from pipeline.domain.import_run import ImportRequest
from pipeline.domain.job import JobKind, Priority, Requested
from pipeline.domain.product_source import ProductQuery
from pipeline.ports.repositories import IdempotencyKey, StoredAnswer
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork
from pipeline.steps.idempotency import answer_once
from pipeline.steps.imports import begin_import, begin_or_continue
from pipeline.steps.source_registration import source_of_products_in


@dataclass(frozen=True, slots=True)
class DueCollection:
    """A collection that was due: the new import, or the id of the earlier one that is ``still_running``."""

    collection_id: int
    import_id: int | None
    still_running: int | None


def import_products(
    units: UnitsOfWork, products: ProductRequest, schedule: str | None = None, key: IdempotencyKey | None = None
) -> Requested:
    """Request an import of products, and with a ``schedule`` a collection that repeats it; returns the import.

    An import of the same query that is running, or that a job will continue, is returned instead. One that stopped
    within the last two days is continued. A call with the same idempotency key returns the first answer; raises
    IdempotencyKeyReused if the key was used for another request.
    """
    with units() as unit:
        requested = answer_once(unit, key, lambda: _import(unit, products, schedule), _to_answer, _from_answer)
        unit.commit()
        return requested


def add_collection(units: UnitsOfWork, products: ProductRequest, schedule: str | None) -> Requested:
    """Add a query that runs on a schedule, or (None) on request only; returns the collection.

    A collection of the same query into the same source gets the schedule instead; a paused one stays paused.
    """
    with units() as unit:
        source = source_of_products_in(unit, products.database, products.source, products.taxonomy)
        requested = _add_or_reschedule(unit, CollectionRequest(source.id, products.database, products.query, schedule))
        unit.commit()
        return requested


def change_collection(
    units: UnitsOfWork, collection_id: int, update: CollectionUpdate, source_ids: frozenset[int] | None = None
) -> None:
    """Change the schedule of a collection into one of these sources (None: any), pause or resume it.

    A paused collection is never due, but its running import continues. Raises NotFound for an unknown collection.
    """
    with units() as unit:
        _change(unit, unit.collections.lock(collection_id, source_ids), update)
        unit.commit()


def remove_collection(units: UnitsOfWork, collection_id: int, source_ids: frozenset[int] | None = None) -> None:
    """Remove a collection, but not its imports and listings."""
    with units() as unit:
        unit.collections.remove(unit.collections.lock(collection_id, source_ids).id)
        unit.commit()


def run_collection(units: UnitsOfWork, collection_id: int, source_ids: frozenset[int] | None = None) -> Requested:
    """Request a run of a collection, as ``import_products`` does, without changing its schedule."""
    with units() as unit:
        collection = unit.collections.lock(collection_id, source_ids)
        requested = _request_import(unit, collection.source_id, collection.database, collection.query)
        unit.commit()
        return requested


def start_due_collections(units: UnitsOfWork) -> Iterator[DueCollection]:
    """Begin the imports of all due collections in one transaction each, and yield each after its commit.

    Several processes may call this at the same time, and each period still has one run: the transaction that locks a
    collection also advances its next time. Missed periods are not caught up, and a collection whose last import is
    still running is skipped.
    """
    while True:
        with units() as unit:
            collection = unit.collections.lock_due()
            if collection is None:
                return
            due = _start_due(unit, collection)
            unit.collections.reschedule(collection.id, collection.schedule, paused=False)
            unit.commit()
        yield due


def _import(unit: UnitOfWork, products: ProductRequest, schedule: str | None) -> Requested:
    source = source_of_products_in(unit, products.database, products.source, products.taxonomy)
    if schedule is not None:
        _add_or_reschedule(unit, CollectionRequest(source.id, products.database, products.query, schedule))
    return _request_import(unit, source.id, products.database, products.query)


def _to_answer(requested: Requested) -> StoredAnswer:
    return {"import": requested.id, "begun": requested.is_new}


def _from_answer(answer: StoredAnswer) -> Requested:
    return Requested(answer["import"], answer["begun"])


def _start_due(unit: UnitOfWork, collection: Collection) -> DueCollection:
    assert collection.next_at is not None  # as it is due
    unit.sources.lock(collection.source_id)
    unique_key = f"collection:{collection.id}:{collection.next_at.isoformat()}"
    request = ImportRequest.of_query(collection.source_id, collection.database, collection.query, unique_key)
    running = unit.imports.find_in_progress(request)
    if running is not None:
        return DueCollection(collection.id, None, running)
    import_id = begin_import(unit, request)
    if import_id is not None:
        _add_import_job(unit, import_id)
    return DueCollection(collection.id, import_id, None)


def _add_or_reschedule(unit: UnitOfWork, request: CollectionRequest) -> Requested:
    existing = unit.collections.find_same(request)
    if existing is None:
        added_id = unit.collections.add(request)
        if added_id is not None:
            return Requested(added_id, is_new=True)
        existing = unit.collections.find_same(request)  # another unit has added it meanwhile
        assert existing is not None
    _change(unit, existing, CollectionUpdate(NewSchedule(request.schedule)))
    return Requested(existing.id, is_new=False)


def _change(unit: UnitOfWork, collection: Collection, update: CollectionUpdate) -> None:
    """Apply changes, if any; a repeated request does not postpone the next run."""
    schedule = collection.schedule if update.schedule is None else update.schedule.line
    paused = collection.paused if update.paused is None else update.paused
    if (schedule, paused) != (collection.schedule, collection.paused):
        unit.collections.reschedule(collection.id, schedule, paused=paused)


def _request_import(unit: UnitOfWork, source_id: int, database: str, query: ProductQuery) -> Requested:
    requested = begin_or_continue(unit, ImportRequest.of_query(source_id, database, query))
    if requested.is_new:
        _add_import_job(unit, requested.id)
    return requested


def _add_import_job(unit: UnitOfWork, import_id: int) -> None:
    unit.long_jobs.add(JobKind.COLLECT, {"import_id": import_id}, priority=Priority.IMPORT)

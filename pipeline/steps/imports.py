"""Imports: open or resume one, ask a worker for one, end it, and withdraw the listings of vanished products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.import_run import (
    ImportRecord,
    ImportRequest,
    ImportRun,
    ImportStatus,
    VanishedProducts,
    Withdrawal,
)
from pipeline.domain.job import Requested
from pipeline.ports.repositories import ImportLock, ImportLocks
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork
from pipeline.steps.rules import request_proposals_after_import

INTERRUPTED = "interrupted"
CHUNK = 2_000  # listings withdrawn in one transaction


@contextmanager
def running_import(
    units: UnitsOfWork, locks: ImportLocks, request: ImportRequest, *, afresh: bool = False
) -> Iterator[ImportRun]:
    """Open an import as ``open_import`` does, and end it when the block ends: done, or failed with its exception.

    Where the end cannot be written the import stays running, and is continued like one that failed.
    """
    with open_import(units, locks, request, afresh=afresh) as run:
        try:
            yield run
        except BaseException as error:
            note = INTERRUPTED if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
            with suppress(Exception):  # what ended the block is the error to report
                end_import(units, run.id, ImportStatus.FAILED, note)
            raise
        end_import(units, run.id, ImportStatus.DONE)


@contextmanager
def open_import(
    units: UnitsOfWork, locks: ImportLocks, request: ImportRequest, *, afresh: bool = False
) -> Iterator[ImportRun]:
    """The import that was requested, held until the block ends, so that no other process works on it.

    An import of the same request that did not end well continues, unless ``afresh``: of a file, if it is the last one
    into the source; of a query, if it stopped within the last two days. Otherwise a new one begins; of a query it
    starts where the last one left the source's cursor for it, unless ``afresh``. Raises Conflict when another process
    works on it.
    """
    with locks() as lock:
        with units() as unit:
            run = _open(unit, lock, request, afresh=afresh)
            unit.commit()
        yield run


@contextmanager
def resumed_import(units: UnitsOfWork, locks: ImportLocks, import_id: int) -> Iterator[ImportRecord]:
    """The import from a product database with this id, for one process at a time; one that failed runs again.

    One that is done stays done. Raises NotFound when there is none, and Conflict when another process works on it.
    """
    with locks() as lock:
        lock.acquire(import_id)
        with units() as unit:
            stored = unit.imports.lock(import_id)
            if stored is None or stored.query is None:
                raise NotFound(f"there is no import {import_id} from a product database")
            if stored.status is not ImportStatus.DONE:
                unit.imports.reopen(import_id)
            unit.commit()
        yield stored


def begin_or_continue(unit: UnitOfWork, request: ImportRequest, *, afresh: bool = False) -> Requested:
    """The import of a query for a worker to do: one in progress, or (new) begun or continued now.

    One that stopped within the last two days continues, unless ``afresh``. The caller adds the job of a new one.
    """
    unit.sources.lock(request.source_id)
    in_progress = unit.imports.find_in_progress(request)
    if in_progress is not None:
        return Requested(in_progress, is_new=False)
    interrupted = None if afresh else unit.imports.find_interrupted(request)
    if interrupted is not None and interrupted.can_continue:
        unit.imports.reopen(interrupted.run.id)
        return Requested(interrupted.run.id, is_new=True)
    import_id = begin_import(unit, request, afresh=afresh)
    assert import_id is not None  # nothing else has the request's key
    return Requested(import_id, is_new=True)


def begin_import(unit: UnitOfWork, request: ImportRequest, *, afresh: bool = False) -> int | None:
    """Begin an import into a source, which is locked, and end abandoned ones; None when its unique key is taken."""
    unit.imports.fail_abandoned(request.source_id, INTERRUPTED)
    return unit.imports.begin(request, None if afresh else unit.imports.next_start(request))


def end_import(units: UnitsOfWork, import_id: int, status: ImportStatus, note: str | None = None) -> None:
    """End an import. One that is done is compared with the complete import of its query before it; where it brought
    source categories without a rule, a job will propose rules.
    """
    with units() as unit:
        unit.imports.end(import_id, status, note)
        if status is ImportStatus.DONE:
            unit.differences.record(import_id)
            request_proposals_after_import(unit, import_id)
        unit.commit()


def note_waiting(units: UnitsOfWork, import_id: int, patience: float) -> bool:
    """Write that an import waits for its source; whether it has done nothing else for ``patience`` seconds."""
    with units() as unit:
        in_vain = unit.imports.note_waiting(import_id, patience)
        unit.commit()
    return in_vain


def withdraw_vanished(units: UnitsOfWork, import_id: int, *, even_most: bool = False) -> Withdrawal:
    """Withdraw the listings of the products that vanished in an import and cancel their jobs, a chunk at a time.

    Listings stay that another import met since, that the last import of another query has, and that were posted since.
    Called again, it continues. Raises NotFound without such an import; Conflict when it does not tell what vanished,
    when its query was imported completely again since, and, unless ``even_most``, when more than half of all products
    would go.
    """
    with units() as unit:
        _check_withdrawal(unit.differences.vanished_products(import_id), even_most=even_most)
    withdrawn, after = 0, -1
    while True:
        with units() as unit:
            vanished = unit.differences.withdrawable(import_id, after, CHUNK)
            if not vanished:
                return Withdrawal(withdrawn, unit.differences.count_listed(import_id))
            listing_ids = unit.listings.withdraw_vanished([one.listing_id for one in vanished], import_id)
            unit.outbox.supersede(listing_ids, "the listing was withdrawn")
            unit.commit()
        withdrawn, after = withdrawn + len(listing_ids), vanished[-1].number


def _check_withdrawal(products: VanishedProducts, *, even_most: bool) -> None:
    import_id = products.import_id
    if products.count is None or products.former_id is None:
        raise Conflict(f"import {import_id} does not tell what vanished; see why with: rayon imports show {import_id}")
    if products.later_id is not None:
        raise Conflict(
            f"the same query was run again since, as import {products.later_id}: withdraw what vanished in that one"
        )
    if products.suspicious and not even_most:
        raise Conflict(
            f"{products.count} of the {products.former_accepted} products of import {products.former_id} are gone, "
            "which may be a fault of the database; if they are to go nevertheless, say so (--even-most, or even_most "
            "in the request)"
        )


def _open(unit: UnitOfWork, lock: ImportLock, request: ImportRequest, *, afresh: bool) -> ImportRun:
    unit.sources.lock(request.source_id)  # one process at a time chooses which import of a source continues
    interrupted = None if afresh else unit.imports.find_interrupted(request)
    if interrupted is not None:
        import_id = interrupted.run.id
        lock.acquire(import_id)
        stored = unit.imports.lock(import_id)
        if stored is not None and stored.can_continue:
            unit.imports.reopen(import_id)
            return stored.run
        lock.release(import_id)
    begun = begin_import(unit, request, afresh=afresh)
    assert begun is not None  # a request without a key
    lock.acquire(begun)
    stored = unit.imports.lock(begun)
    assert stored is not None
    return stored.run

"""Imports: begin or continue one, import its rows page by page, end it, and withdraw vanished listings; dry runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.import_run import (
    ImportRecord,
    ImportRequest,
    ImportRun,
    ImportStatus,
    IncomingRow,
    RowVerdict,
    VanishedProducts,
    Withdrawal,
    count_page,
)
from pipeline.domain.job import Priority, Requested
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Submission
from pipeline.domain.product_source import Provenance
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import CurrentRevision, Verdict, hash_external_id, judge
from pipeline.ports.repositories import ImportLock, ImportLocks, RevisionRepository
from pipeline.ports.unit_of_work import ImportPageUnit, UnitOfWork, UnitsOfWork
from pipeline.steps.intake import accept_in
from pipeline.steps.rules import request_proposals_after_import
from pipeline.steps.source_registration import find_or_add_source_in

INTERRUPTED = "interrupted"
CHUNK_SIZE = 2_000  # listings withdrawn per transaction
NOT_STORED = 0  # stands for the id of a listing, revision or import in a dry run, which writes none


@contextmanager
def running_import(
    units: UnitsOfWork, locks: ImportLocks, request: ImportRequest, *, afresh: bool = False
) -> Iterator[ImportRun]:
    """Open an import as ``open_import`` does, and end it after the block: as done, or as failed with its exception.

    If the end cannot be written, the import stays ``running`` and can be continued like a failed one.
    """
    with open_import(units, locks, request, afresh=afresh) as run:
        try:
            yield run
        except BaseException as error:
            note = INTERRUPTED if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
            with suppress(Exception):  # the error that ended the block is reported instead
                end_import(units, run.id, ImportStatus.FAILED, note)
            raise
        end_import(units, run.id, ImportStatus.DONE)


@contextmanager
def open_import(units: UnitsOfWork, locks: ImportLocks, request: ImportRequest, *, afresh: bool) -> Iterator[ImportRun]:
    """The requested import, held until the block ends, so that no other process works on it.

    An unfinished import of the same request is continued unless ``afresh``: for a file, if it is the last one into the
    source; for a query, if it stopped within the last two days. Otherwise a new one begins; for a query it starts at
    the cursor that the last one stored for it, unless ``afresh``. Raises Conflict when another process works on it.
    """
    with locks() as lock:
        with units() as unit:
            run = _open(unit, lock, request, afresh=afresh)
            unit.commit()
        yield run


def _open(unit: UnitOfWork, lock: ImportLock, request: ImportRequest, *, afresh: bool) -> ImportRun:
    unit.sources.lock(request.source_id)  # one process at a time chooses the import of a source to continue
    interrupted = None if afresh else unit.imports.find_interrupted(request)
    if interrupted is not None:
        import_id = interrupted.run.id
        lock.acquire(import_id)
        stored = unit.imports.lock(import_id)
        if stored is not None and stored.can_continue:
            unit.imports.reopen(import_id)
            return stored.run
        lock.release(import_id)
    new_id = begin_import(unit, request, afresh=afresh)
    assert new_id is not None  # the request has no unique key
    lock.acquire(new_id)
    stored = unit.imports.lock(new_id)
    assert stored is not None
    return stored.run


@contextmanager
def resumed_import(units: UnitsOfWork, locks: ImportLocks, import_id: int) -> Iterator[ImportRecord]:
    """The import from a product database with this id, held until the block ends; a failed one is set running.

    An import that is done stays done. Raises NotFound when there is none, Conflict when another process works on it.
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
    """The import of a query, to be run by a worker: one in progress, or (``is_new``) one that is begun or continued.

    One that stopped within the last two days is continued unless ``afresh``. The caller adds the job of a new one.
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
    assert import_id is not None  # the request has no unique key
    return Requested(import_id, is_new=True)


def begin_import(unit: UnitOfWork, request: ImportRequest, *, afresh: bool = False) -> int | None:
    """Begin an import into a locked source, and end abandoned ones; None if its unique key is taken."""
    unit.imports.fail_abandoned(request.source_id, INTERRUPTED)
    return unit.imports.begin(request, None if afresh else unit.imports.next_start(request))


def end_import(units: UnitsOfWork, import_id: int, status: ImportStatus, note: str | None = None) -> None:
    """End an import.

    An import that is done is compared with the previous complete import of its query; if it added source categories
    without a rule, a job is added that proposes rules.
    """
    with units() as unit:
        unit.imports.end(import_id, status, note)
        if status is ImportStatus.DONE:
            unit.differences.record(import_id)
            request_proposals_after_import(unit, import_id)
        unit.commit()


def save_summary(units: UnitsOfWork, import_id: int, summary: JsonObject) -> None:
    """Keep the summary of what was read from a file with its import."""
    with units() as unit:
        unit.imports.write_summary(import_id, summary)
        unit.commit()


def note_waiting(units: UnitsOfWork, import_id: int, patience: float) -> bool:
    """Record that an import waits for its source; returns whether it has waited for ``patience`` seconds."""
    with units() as unit:
        patience_exceeded = unit.imports.note_waiting(import_id, patience)
        unit.commit()
    return patience_exceeded


def withdraw_vanished(units: UnitsOfWork, import_id: int, *, even_most: bool = False) -> Withdrawal:
    """Withdraw the listings of the products that vanished in an import and cancel their jobs, in chunks.

    Kept are listings that another import or a seller has posted since, and those in the last import of another query.
    A repeated call continues an interrupted one. Raises NotFound without such an import; Conflict when its vanished
    products are unknown, when its query was completely imported again since, and, unless ``even_most``, when more than
    half of all products would be withdrawn.
    """
    with units() as unit:
        _check_withdrawal(unit.differences.vanished_products(import_id), even_most=even_most)
    withdrawn, last_row = 0, -1
    while True:
        with units() as unit:
            vanished = unit.differences.withdrawable(import_id, last_row, CHUNK_SIZE)
            if not vanished:
                return Withdrawal(withdrawn, unit.differences.count_not_withdrawn(import_id))
            listing_ids = unit.listings.withdraw_vanished([listing.listing_id for listing in vanished], import_id)
            unit.outbox.supersede(listing_ids, "the listing was withdrawn")
            unit.commit()
        withdrawn, last_row = withdrawn + len(listing_ids), vanished[-1].number


def _check_withdrawal(products: VanishedProducts, *, even_most: bool) -> None:
    import_id = products.import_id
    if products.count is None or products.previous_id is None:
        raise Conflict(f"import {import_id} does not tell what vanished; see why with: rayon imports show {import_id}")
    if products.later_id is not None:
        raise Conflict(
            f"the same query was run again since, as import {products.later_id}: withdraw what vanished in that one"
        )
    if products.suspicious and not even_most:
        raise Conflict(
            f"{products.count} of the {products.previous_accepted} products of import {products.previous_id} are gone, "
            "which may be a fault of the database; if they are to go nevertheless, say so (--even-most, or even_most "
            "in the request)"
        )


def import_page(units: UnitsOfWork, source_id: int, import_id: int, rows: Sequence[IncomingRow]) -> list[RowVerdict]:
    """Import the next rows of an import in one transaction, which is committed when this returns.

    Listings, jobs, verdicts, counts and cursor are committed together: after a crash the import continues at the first
    row that is not committed, and no row gets two verdicts. Returns the verdicts in the order of the rows; raises
    Conflict when another process has continued the import.
    """
    with units() as unit:
        verdicts = import_page_in(unit, source_id, import_id, rows)
        unit.commit()
    return verdicts


def import_page_in(
    unit: ImportPageUnit, source_id: int, import_id: int, rows: Sequence[IncomingRow]
) -> list[RowVerdict]:
    """Like ``import_page``, in a unit that the caller commits."""
    submissions = {
        row.number: Submission(row.external_id, row.content)
        for row in rows
        if row.content is not None and row.external_id is not None
    }
    outcomes = _find_unchanged(unit, source_id, submissions)
    changed = {number: submission for number, submission in submissions.items() if number not in outcomes}
    if changed:
        receipts = accept_in(unit, source_id, list(changed.values()), Priority.IMPORT)
        outcomes |= {
            number: (receipt.verdict, receipt.listing_id) for number, receipt in zip(changed, receipts, strict=True)
        }
    provenances = {
        outcomes[row.number][1]: row.provenance for row in rows if row.number in outcomes and row.provenance is not None
    }
    if provenances:
        unit.provenances.save(provenances)
    verdicts = [
        RowVerdict(row.number, row.external_id, *outcomes[row.number], None, row.notes)
        if row.number in outcomes
        else RowVerdict(
            row.number,
            row.external_id,
            Verdict.VARIANT if row.is_variant else Verdict.REJECTED,
            reason=None if row.is_variant else row.problem or Reason(ReasonCode.NO_ID),
            notes=row.notes,
        )
        for row in rows
    ]
    unit.imports.add_page(import_id, verdicts, count_page(rows, verdicts).without_photo)
    return verdicts


def _find_unchanged(
    unit: ImportPageUnit, source_id: int, submissions: Mapping[int, Submission]
) -> dict[int, tuple[Verdict, int]]:
    """The verdicts and listing ids of unchanged rows, by row number; their listings are read without a lock.

    The verdict is valid at the time of reading: later writes to the listing count as coming after this page. Rows whose
    external id also has changed content in the page are left to ``accept_in``, which locks the listing.
    """
    current = unit.listings.current(source_id, sorted({submission.external_id for submission in submissions.values()}))
    unchanged = {
        number
        for number, submission in submissions.items()
        if judge(current.get(submission.external_id), submission.content) is Verdict.UNCHANGED
    }
    changed_ids = {submission.external_id for number, submission in submissions.items() if number not in unchanged}
    return {
        number: (Verdict.UNCHANGED, current[submissions[number].external_id].listing_id)
        for number in unchanged
        if submissions[number].external_id not in changed_ids
    }


def dry_run_source(units: UnitsOfWork, name: str, taxonomy: str | None) -> Source:
    """The source of this name as an import would find or add it, without adding it."""
    with units() as unit:
        return find_or_add_source_in(unit, name, taxonomy)


class DryRun:
    """Judges pages of rows as ``import_page`` would, by the same use case on a unit of work that writes nothing.

    Later pages see the revisions that earlier pages would have written: a hash of the external id and the fingerprint
    of each are kept (about 200 bytes), unless ``ids_recur`` is False because the reader rejects repeated ids. Nothing
    is locked, and no transaction is open between pages.
    """

    def __init__(self, units: UnitsOfWork, source_id: int, *, ids_recur: bool = True) -> None:
        self._units = units
        self._source_id = source_id
        self._planned: dict[bytes, bytes] = {}
        self._ids_recur = ids_recur

    def import_page(self, rows: Sequence[IncomingRow]) -> list[RowVerdict]:
        """The verdicts on the next rows, in order; ``listing_id`` is None if there is no listing yet."""
        with self._units() as unit:
            page = _DryUnit(_PlannedRevisions(unit.listings, self._planned))
            verdicts = import_page_in(page, self._source_id, NOT_STORED, rows)
        if not self._ids_recur:
            self._planned.clear()
        return [
            replace(verdict, listing_id=None) if verdict.listing_id == NOT_STORED else verdict for verdict in verdicts
        ]


class _PlannedRevisions:
    """Current revisions, where planned ones (fingerprint by hash of the external id) replace stored ones."""

    def __init__(self, stored: RevisionRepository, planned: dict[bytes, bytes]) -> None:
        self._stored = stored
        self._planned = planned

    def current(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        revisions = self._stored.current(source_id, external_ids)
        for external_id in external_ids:
            digest = self._planned.get(hash_external_id(external_id))
            if digest is not None:
                listing_id = revisions[external_id].listing_id if external_id in revisions else NOT_STORED
                revisions[external_id] = CurrentRevision(listing_id, NOT_STORED, 1, digest.hex(), withdrawn=False)
        return revisions

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        new_listing = CurrentRevision(NOT_STORED, None, 0, None, withdrawn=False)
        return dict.fromkeys(external_ids, new_listing) | self.current(source_id, external_ids)

    def add_revisions(
        self,
        source_id: int,  # noqa: ARG002 (a dry run has one source)
        changes: Sequence[tuple[CurrentRevision, Submission]],
    ) -> list[int]:
        for _, submission in changes:
            digest = bytes.fromhex(submission.content.fingerprint())
            self._planned[hash_external_id(submission.external_id)] = digest
        return [NOT_STORED] * len(changes)


class _NoWrites:
    """The repositories of jobs, provenances and verdicts in a dry run: they write nothing."""

    def add(self, listing_ids: Sequence[int], revision_ids: Sequence[int], priority: Priority) -> None: ...

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:  # noqa: ARG002 (nothing is written)
        return 0

    def save(self, provenances: Mapping[int, Provenance]) -> int:  # noqa: ARG002 (nothing is written)
        return 0

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None: ...


class _DryUnit:
    """Implements ``pipeline.ports.unit_of_work.ImportPageUnit``."""

    def __init__(self, listings: _PlannedRevisions) -> None:
        self.listings = listings
        self.outbox = self.provenances = self.imports = _NoWrites()

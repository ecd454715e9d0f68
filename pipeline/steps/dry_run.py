"""Dry run of an import: the same use case on a unit of work that writes nothing, so that its verdicts are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.domain.import_run import IncomingRow, RowVerdict
from pipeline.domain.job import Priority
from pipeline.domain.listing import Submission
from pipeline.domain.product_source import Provenance
from pipeline.domain.source import Source
from pipeline.domain.verdict import CurrentRevision, hash_external_id
from pipeline.ports.repositories import RevisionRepository
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.import_rows import import_page_in
from pipeline.steps.sources import find_or_add_source_in

NOT_STORED = 0  # the id of a listing, revision or import that only the real import would write


def dry_run_source(units: UnitsOfWork, name: str, taxonomy: str | None) -> Source:
    """The source of this name as an import would find or add it; one that is missing is not added."""
    with units() as unit:
        return find_or_add_source_in(unit, name, taxonomy)


class DryRun:
    """Judges page after page as ``import_page`` would, and writes nothing.

    What earlier pages would have written counts for later ones: of each row that would write a revision, a hash of its
    id and its fingerprint are kept (some 200 bytes). They are not where ``ids_recur`` is False: a reader that rejects
    repeated ids has done so. Nothing is locked, and no transaction is open between pages.
    """

    def __init__(self, units: UnitsOfWork, source_id: int, *, ids_recur: bool = True) -> None:
        self._units = units
        self._source_id = source_id
        self._planned: dict[bytes, bytes] = {}
        self._ids_recur = ids_recur

    def import_page(self, rows: Sequence[IncomingRow]) -> list[RowVerdict]:
        """The verdicts on the next rows, in their order; ``listing_id`` is None where there is no listing yet."""
        with self._units() as unit:
            page = _DryUnit(_PlannedRevisions(unit.listings, self._planned))
            verdicts = import_page_in(page, self._source_id, NOT_STORED, rows)
        if not self._ids_recur:
            self._planned.clear()
        return [replace(v, listing_id=None) if v.listing_id == NOT_STORED else v for v in verdicts]


class _PlannedRevisions:
    """Current revisions as they would be once the planned ones (hash of the external id: digest) were written."""

    def __init__(self, stored: RevisionRepository, planned: dict[bytes, bytes]) -> None:
        self._stored = stored
        self._planned = planned

    def current(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        found = self._stored.current(source_id, external_ids)
        for external_id in external_ids:
            digest = self._planned.get(hash_external_id(external_id))
            if digest is not None:
                listing_id = found[external_id].listing_id if external_id in found else NOT_STORED
                found[external_id] = CurrentRevision(listing_id, NOT_STORED, 1, digest.hex(), withdrawn=False)
        return found

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        created = CurrentRevision(NOT_STORED, None, 0, None, withdrawn=False)
        return dict.fromkeys(external_ids, created) | self.current(source_id, external_ids)

    def add_revisions(
        self,
        source_id: int,  # noqa: ARG002 (a dry run is of one source)
        changes: Sequence[tuple[CurrentRevision, Submission]],
    ) -> list[int]:
        for _, submission in changes:
            digest = bytes.fromhex(submission.content.fingerprint())
            self._planned[hash_external_id(submission.external_id)] = digest
        return [NOT_STORED] * len(changes)


class _NoWrites:
    """Jobs, provenances and verdicts of a dry run: there are none."""

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

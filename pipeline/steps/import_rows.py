"""Arrive: a page of an import is taken in, with its verdicts and the place to go on from, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.import_run import ImportRow, RowVerdict
from pipeline.domain.job import Priority
from pipeline.domain.listing import Submission, Verdict
from pipeline.ports.repositories import UnitOfWork, UnitsOfWork
from pipeline.steps.intake import accept_in


def take_page(units: UnitsOfWork, source_id: int, import_id: int, rows: Sequence[ImportRow]) -> list[RowVerdict]:
    """Take in the rows that follow those the import has; all or none of it is committed when this returns.

    Listings, jobs, verdicts, counts and cursor stand or fall together: whatever dies, the import goes on at the first
    row that is not committed, and no verdict is told of a row twice. Returns a verdict a row, in their order; raises
    Conflict when somebody else took the import on from here.
    """
    with units() as unit:
        judged = take_page_in(unit, source_id, import_id, rows)
        unit.commit()
    return judged


def take_page_in(unit: UnitOfWork, source_id: int, import_id: int, rows: Sequence[ImportRow]) -> list[RowVerdict]:
    """As ``take_page``, within a unit that its owner commits."""
    good = {row.number: row for row in rows if row.content is not None and row.external_id is not None}
    taken = _unchanged(unit, source_id, good)
    submissions = {
        number: Submission(row.external_id, row.content)
        for number, row in good.items()
        if number not in taken and row.content is not None and row.external_id is not None
    }
    receipts = accept_in(unit, source_id, list(submissions.values()), Priority.IMPORT) if submissions else []
    taken |= {number: (r.verdict, r.listing_id) for number, r in zip(submissions, receipts, strict=True)}
    origins = {taken[number][1]: row.provenance for number, row in good.items() if row.provenance is not None}
    if origins:
        unit.provenances.keep(origins)
    judged = [
        RowVerdict(row.number, row.external_id, *taken[row.number], None, row.note)
        if row.number in taken
        else RowVerdict(row.number, row.external_id, Verdict.REJECTED, reason=row.problem or "no id", note=row.note)
        for row in rows
    ]
    without_photo = sum(row.content is not None and not row.content.images for row in good.values())
    unit.imports.add_page(import_id, judged, without_photo)
    return judged


def _unchanged(unit: UnitOfWork, source_id: int, good: dict[int, ImportRow]) -> dict[int, tuple[Verdict, int]]:
    """Verdict and listing of the rows that bring nothing new, by number; they are looked at, and nothing is locked.

    The verdict holds for the moment of the look: whoever writes the listing afterwards comes after this page. An id
    that stands in the page with any other content is left to those who lock it.
    """
    known = unit.listings.known(source_id, sorted({row.external_id or "" for row in good.values()}))
    same = {
        number: known[row.external_id].listing_id
        for number, row in good.items()
        if row.external_id in known
        and row.content is not None
        and known[row.external_id].fingerprint == row.content.fingerprint()
        and not known[row.external_id].withdrawn
    }
    other = {row.external_id for number, row in good.items() if number not in same}
    return {
        number: (Verdict.UNCHANGED, listing_id)
        for number, listing_id in same.items()
        if good[number].external_id not in other
    }

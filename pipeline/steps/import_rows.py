"""Import a page of rows: listings, jobs, verdicts, counts and the cursor, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.domain.import_run import IncomingRow, RowVerdict, count_page
from pipeline.domain.job import Priority
from pipeline.domain.listing import Submission
from pipeline.domain.verdict import Verdict, judge
from pipeline.ports.unit_of_work import ImportPageUnit, UnitsOfWork
from pipeline.steps.intake import accept_in


def import_page(units: UnitsOfWork, source_id: int, import_id: int, rows: Sequence[IncomingRow]) -> list[RowVerdict]:
    """Import the rows that follow those the import has; when this returns, all of it is committed.

    Listings, jobs, verdicts, counts and cursor are committed together: whatever dies, the import continues at the
    first row that is not committed, and no row gets two verdicts. Returns the verdicts in order of the rows; raises
    Conflict when another process continued the import meanwhile.
    """
    with units() as unit:
        verdicts = import_page_in(unit, source_id, import_id, rows)
        unit.commit()
    return verdicts


def import_page_in(
    unit: ImportPageUnit, source_id: int, import_id: int, rows: Sequence[IncomingRow]
) -> list[RowVerdict]:
    """As ``import_page``, in a unit that its owner commits."""
    submissions = {
        row.number: Submission(row.external_id, row.content)
        for row in rows
        if row.content is not None and row.external_id is not None
    }
    outcomes = _find_unchanged(unit, source_id, submissions)
    others = {number: submission for number, submission in submissions.items() if number not in outcomes}
    if others:
        receipts = accept_in(unit, source_id, list(others.values()), Priority.IMPORT)
        outcomes |= {number: (r.verdict, r.listing_id) for number, r in zip(others, receipts, strict=True)}
    provenances = {
        outcomes[row.number][1]: row.provenance for row in rows if row.number in outcomes and row.provenance is not None
    }
    if provenances:
        unit.provenances.save(provenances)
    verdicts = [
        RowVerdict(row.number, row.external_id, *outcomes[row.number], None, row.note)
        if row.number in outcomes
        else RowVerdict(row.number, row.external_id, Verdict.REJECTED, reason=row.problem or "no id", note=row.note)
        for row in rows
    ]
    unit.imports.add_page(import_id, verdicts, count_page(rows, verdicts).without_photo)
    return verdicts


def _find_unchanged(
    unit: ImportPageUnit, source_id: int, submissions: Mapping[int, Submission]
) -> dict[int, tuple[Verdict, int]]:
    """Verdict and listing of rows that change nothing, by row number. Their listings are read and not locked.

    The verdict holds for the moment of reading: whoever writes the listing afterwards comes after this page. Rows
    whose external id also has other content in the page are left to those that lock the listing.
    """
    current = unit.listings.current(source_id, sorted({s.external_id for s in submissions.values()}))
    unchanged = {
        number for number, s in submissions.items() if judge(current.get(s.external_id), s.content) is Verdict.UNCHANGED
    }
    changing = {s.external_id for number, s in submissions.items() if number not in unchanged}
    return {
        number: (Verdict.UNCHANGED, current[submissions[number].external_id].listing_id)
        for number in unchanged
        if submissions[number].external_id not in changing
    }

"""Collect: a page of an import is taken in, with its verdicts and the place to go on from, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.job import Priority
from pipeline.domain.listing import Verdict
from pipeline.domain.work import ArrivedRow, JudgedRow, Submission
from pipeline.ports import UnitsOfWork
from pipeline.steps.intake import accept_in


def collect(units: UnitsOfWork, source_id: int, import_id: int, rows: Sequence[ArrivedRow]) -> list[JudgedRow]:
    """Take in the rows that follow those the import has; all or none of it is committed when this returns.

    Listings, jobs, verdicts, counts and cursor stand or fall together: whatever dies, the import goes on at the first
    row that is not committed, and no verdict is told of a row twice. Returns a verdict a row, in their order; raises
    Conflict when somebody else took the import on from here.
    """
    submissions = {
        row.number: Submission(row.external_id, row.content)
        for row in rows
        if row.content is not None and row.external_id is not None
    }
    with units() as unit:
        receipts = accept_in(unit, source_id, list(submissions.values()), Priority.IMPORT)
        taken = dict(zip(submissions, receipts, strict=True))
        judged = [
            JudgedRow(
                row.number, row.external_id, taken[row.number].verdict, taken[row.number].listing_id, None, row.note
            )
            if row.number in taken
            else JudgedRow(row.number, row.external_id, Verdict.REJECTED, reason=row.problem or "no id", note=row.note)
            for row in rows
        ]
        without_photo = sum(not submission.content.images for submission in submissions.values())
        unit.imports.add_page(import_id, judged, without_photo)
        unit.commit()
    return judged

"""Importing a catalogue, chunk by chunk: what is committed stays, whatever happens to the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from infra.catalogues.catalogue import Catalogue
from infra.catalogues.record import CatalogueRow
from infra.catalogues.verdicts import Verdict as WrittenVerdict
from infra.catalogues.verdicts import VerdictWriter
from infra.store.imports import JudgedRow, add_rows, known_fingerprints
from pipeline.domain.job import Priority
from pipeline.domain.listing import Verdict
from pipeline.domain.work import Submission
from pipeline.steps.intake import accept
from workers.bootstrap import House
from workers.commands.photos import FoundPhoto, PhotoImport
from workers.commands.terminal import Report

CHUNK = 200


@dataclass
class Tally:
    """Counts of an import so far."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    without_photo: int = 0

    @property
    def rows(self) -> int:
        """Rows judged so far."""
        return sum(self.verdicts.values())


@dataclass(frozen=True)
class Importer:
    """Takes the rows of a catalogue in; without ``import_id`` (a dry run) it only compares them with the record."""

    house: House
    source: str
    source_id: int | None
    import_id: int | None
    photos: PhotoImport

    def run(self, catalogue: Catalogue, verdicts: Path, tally: Tally, report: Report) -> None:
        """Judge every row, and write the verdicts to a file when all are; ``tally`` counts what is committed."""
        seen: dict[str, str] = {}
        remaining = iter(catalogue)
        with VerdictWriter(verdicts) as writer:
            while rows := list(islice(remaining, CHUNK)):
                found = self.photos.bring(rows)
                judged = self._judge(rows, found, seen)
                for row, photo, verdict in zip(rows, found, judged, strict=True):
                    notes = "; ".join(filter(None, (verdict.reason, photo.problem, *row.notes)))
                    writer.write(row.number, verdict.external_id, WrittenVerdict(verdict.verdict.value), notes)
                    tally.verdicts[verdict.verdict] += 1
                    tally.without_photo += row.content is not None and not (photo.key or row.content.images)
                report(tally.rows / max(catalogue.count_hint, tally.rows), f"{tally.rows} rows")

    def _judge(
        self, rows: Sequence[CatalogueRow], found: Sequence[FoundPhoto], seen: dict[str, str]
    ) -> list[JudgedRow]:
        judged: dict[int, JudgedRow] = {}
        submissions: dict[int, Submission] = {}
        for row, photo in zip(rows, found, strict=True):
            if row.content is None:
                judged[row.number] = JudgedRow(row.number, row.external_id, Verdict.REJECTED, reason=row.problem or "?")
            else:
                images = ((photo.key,) if photo.key else ()) + row.content.images
                submissions[row.number] = Submission(known_as(row), replace(row.content, images=images))
        if self.import_id is None or self.source_id is None:
            judged |= self._compare(submissions, seen)
        else:
            receipts = accept(self.house.units, self.source_id, list(submissions.values()), Priority.IMPORT)
            judged |= {
                number: JudgedRow(number, receipt.external_id, receipt.verdict, receipt.listing_id)
                for number, receipt in zip(submissions, receipts, strict=True)
            }
            with self.house.engine.begin() as connection:
                add_rows(connection, self.import_id, [judged[row.number] for row in rows])
        return [judged[row.number] for row in rows]

    def _compare(self, submissions: dict[int, Submission], seen: dict[str, str]) -> dict[int, JudgedRow]:
        """What the rows would be; ``seen`` holds those of earlier rows, which would be there by then."""
        with self.house.engine.connect() as connection:
            known = known_fingerprints(connection, self.source, [s.external_id for s in submissions.values()])
        judged = {}
        for number, submission in submissions.items():
            there = seen.get(submission.external_id) or known.get(submission.external_id)
            fingerprint = submission.content.fingerprint()
            same = Verdict.UNCHANGED if there == fingerprint else Verdict.CHANGED
            judged[number] = JudgedRow(number, submission.external_id, Verdict.NEW if there is None else same)
            seen[submission.external_id] = fingerprint
        return judged


def known_as(row: CatalogueRow) -> str:
    """The external id of a row; one without an id is known by its content, so that it is found again."""
    if row.external_id:
        return row.external_id
    assert row.content is not None
    return hashlib.sha256(f"{row.content.fingerprint()} {row.image_file}".encode()).hexdigest()

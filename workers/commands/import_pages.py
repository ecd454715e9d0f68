"""Importing a catalogue page by page: what is committed stays, and the import goes on from there."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from infra.catalogue_files.catalogue import Catalogue
from infra.catalogue_files.record import CatalogueRow
from infra.catalogue_files.verdict_file import Verdict as WrittenVerdict
from infra.catalogue_files.verdict_file import VerdictWriter
from infra.store.imports.queries import import_rows
from infra.store.imports.repository import met_ids
from pipeline.domain.import_run import ImportRun, IncomingRow
from pipeline.domain.verdict import Verdict
from pipeline.steps.import_rows import import_page
from workers.bootstrap import WorkerContext
from workers.commands.row_photos import FoundPhoto, PhotoImport
from workers.commands.terminal import Report

PAGE_ROWS = 200
EXAMPLES = 3  # rows that are told of each trouble
PAGE_BYTES = 64 << 20  # of photos that lie in the catalogue itself


@dataclass
class Tally:
    """Counts of an import so far; of this process also why the first rows were rejected or have no photo."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    without_photo: int = 0
    why_rejected: list[str] = field(default_factory=list)
    why_without_photo: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows judged so far."""
        return sum(self.verdicts.values())

    def add(self, row: IncomingRow, verdict: Verdict) -> None:
        """Count one more."""
        self.verdicts[verdict] += 1
        if verdict is Verdict.REJECTED:
            _tell(self.why_rejected, row, row.problem)
        if row.content is not None and not row.content.images:
            self.without_photo += 1
            _tell(self.why_without_photo, row, row.note)


def _tell(why: list[str], row: IncomingRow, reason: str | None) -> None:
    if reason and len(why) < EXAMPLES:
        why.append(f"row {row.number}: {reason}")


def take_in(
    context: WorkerContext, source_id: int, run: ImportRun, catalogue: Catalogue, photos: PhotoImport, report: Report
) -> Tally:
    """Take the rows in that the import does not have yet; the tally is of the whole import."""
    tally = Tally(Counter(run.verdicts), run.without_photo)
    for page in pages(_remaining(context, run, catalogue)):
        rows = [arrived(row, photo) for row, photo in zip(page, photos.bring(page), strict=True)]
        for row, judged in zip(rows, import_page(context.units, source_id, run.id, rows), strict=True):
            tally.add(row, judged.verdict)
        report(tally.rows / max(catalogue.count_hint, tally.rows), f"{tally.rows} rows")
    return tally


def write_verdicts(context: WorkerContext, import_id: int, target: Path) -> None:
    """Write the verdict of every row that the import has, in whichever run it was taken in."""
    after = 0
    with VerdictWriter(target) as writer, context.engine.connect() as connection:
        while rows := import_rows(connection, import_id, None, after, PAGE_ROWS):
            for row in rows:
                notes = "; ".join(filter(None, (row["reason"], row["note"])))
                writer.write(row["number"], row["external_id"], WrittenVerdict(row["verdict"]), notes)
            after = rows[-1]["number"]


def pages(rows: Iterable[CatalogueRow]) -> Iterator[list[CatalogueRow]]:
    """The rows in pages of 200, or fewer when photos that lie in the rows weigh 64 MiB together."""
    page: list[CatalogueRow] = []
    size = 0
    for row in rows:
        page.append(row)
        size += len(row.photo or b"")
        if len(page) == PAGE_ROWS or size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def arrived(row: CatalogueRow, photo: FoundPhoto) -> IncomingRow:
    """A row of a file as a row of an import, its photo first among its images."""
    note = "; ".join(filter(None, (photo.problem, *row.notes))) or None
    if row.content is None:
        return IncomingRow(row.number, row.external_id, None, row.problem or "?", note)
    images = ((photo.key,) if photo.key else ()) + row.content.images
    return IncomingRow(row.number, known_as(row), replace(row.content, images=images), None, note)


def known_as(row: CatalogueRow) -> str:
    """The external id of a row; one without an id is known by its content, so that it is found again."""
    if row.external_id:
        return row.external_id
    assert row.content is not None
    known: Sequence[object] = (row.content.fingerprint(), row.image_file)
    if row.photo is not None:
        known = (*known, hashlib.sha256(row.photo).hexdigest())
    return hashlib.sha256(" ".join(map(str, known)).encode()).hexdigest()


def _remaining(context: WorkerContext, run: ImportRun, catalogue: Catalogue) -> Iterator[CatalogueRow]:
    if not run.row or "external_id" not in catalogue.columns:
        return catalogue.rows(run.row)
    with context.engine.connect() as connection:
        return catalogue.rows(run.row, met_ids(connection, run.id))

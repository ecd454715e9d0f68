"""A dry run of an import: every row is judged as an import would, and nothing changes."""

from __future__ import annotations

from pathlib import Path

from infra.catalogue_files.catalogue import Catalogue
from infra.catalogue_files.verdict_file import Verdict as WrittenVerdict
from infra.catalogue_files.verdict_file import VerdictWriter
from infra.store.imports.repository import known_fingerprints
from pipeline.domain.import_run import IncomingRow
from pipeline.domain.verdict import Verdict
from workers.bootstrap import WorkerContext
from workers.commands.import_pages import Tally, arrived, pages
from workers.commands.row_photos import PhotoImport
from workers.commands.terminal import Report


def compare(
    context: WorkerContext, source: str, catalogue: Catalogue, photos: PhotoImport, target: Path, report: Report
) -> Tally:
    """Compare the rows with the record and with earlier rows, and write the verdicts to a file."""
    tally = Tally()
    seen: dict[str, str] = {}  # what earlier rows bring would be there by then
    with VerdictWriter(target) as writer:
        for page in pages(catalogue):
            rows = [arrived(row, photo) for row, photo in zip(page, photos.bring(page), strict=True)]
            with context.engine.connect() as connection:
                known = known_fingerprints(connection, source, [row.external_id for row in rows if row.external_id])
            for row in rows:
                known_as = row.external_id or ""
                verdict = _compared(row, seen.get(known_as) or known.get(known_as))
                if row.content is not None:
                    seen[known_as] = row.content.fingerprint()
                notes = "; ".join(filter(None, (row.problem, row.note)))
                writer.write(row.number, row.external_id, WrittenVerdict(verdict.value), notes)
                tally.add(row, verdict)
            report(tally.rows / max(catalogue.count_hint, tally.rows), f"{tally.rows} rows")
    return tally


def _compared(row: IncomingRow, there: str | None) -> Verdict:
    if row.content is None:
        return Verdict.REJECTED
    if there is None:
        return Verdict.NEW
    return Verdict.UNCHANGED if there == row.content.fingerprint() else Verdict.CHANGED

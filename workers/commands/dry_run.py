"""A dry run of an import: every row is judged as an import would, and nothing changes."""

from __future__ import annotations

from pathlib import Path

from infra.catalogues.catalogue import Catalogue
from infra.catalogues.verdicts import Verdict as WrittenVerdict
from infra.catalogues.verdicts import VerdictWriter
from infra.store.imports import known_fingerprints
from pipeline.domain.listing import Verdict
from pipeline.domain.work import ArrivedRow
from workers.bootstrap import House
from workers.commands.importing import Tally, arrived, pages
from workers.commands.photos import PhotoImport
from workers.commands.terminal import Report


def compare(
    house: House, source: str, catalogue: Catalogue, photos: PhotoImport, target: Path, report: Report
) -> Tally:
    """Compare the rows with the record and with earlier rows, and write the verdicts to a file."""
    tally = Tally()
    seen: dict[str, str] = {}  # what earlier rows bring would be there by then
    with VerdictWriter(target) as writer:
        for page in pages(catalogue):
            rows = [arrived(row, photo) for row, photo in zip(page, photos.bring(page), strict=True)]
            with house.engine.connect() as connection:
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


def _compared(row: ArrivedRow, there: str | None) -> Verdict:
    if row.content is None:
        return Verdict.REJECTED
    if there is None:
        return Verdict.NEW
    return Verdict.UNCHANGED if there == row.content.fingerprint() else Verdict.CHANGED

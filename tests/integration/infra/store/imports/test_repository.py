"""Reading the rows of an import that was interrupted, on Postgres; the rest is in ``tests.contracts``."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from infra.store.imports.queries import find_import, list_verdicts
from infra.store.imports.repository import accepted_ids
from pipeline.domain.import_run import ImportStatus, RowVerdict
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.imports import end_import
from tests.integration.imports import file_import


@pytest.fixture
def source_id(source: Source) -> int:
    return source.id


def rows(first: int, last: int) -> list[RowVerdict]:
    return [
        RowVerdict(n, f"s{n}", Verdict.UNCHANGED, notes=(Reason(ReasonCode.NO_PHOTO),)) for n in range(first, last)
    ] + [RowVerdict(last, None, Verdict.REJECTED, reason=Reason.other("bad"))]


def add(units: UnitsOfWork, import_id: int, first: int, last: int) -> None:
    with units() as unit:
        unit.imports.add_page(import_id, rows(first, last), 2)
        unit.commit()


def abandoned(engine: Engine, units: UnitsOfWork, source_id: int, fingerprint: str = "f") -> int:
    """An import whose process was killed after the first page."""
    with file_import(engine, source_id, fingerprint) as run:
        add(units, run.id, run.row + 1, run.row + 10)
    return run.id


@pytest.mark.parametrize("ending", [None, ImportStatus.FAILED])
def test_an_interrupted_import_of_the_same_file_continues_with_its_counts(
    engine: Engine, units: UnitsOfWork, source_id: int, ending: ImportStatus | None
) -> None:
    first = abandoned(engine, units, source_id)
    if ending:
        end_import(units, first, ending, "a note")
    with file_import(engine, source_id, origin="renamed.csv") as run:
        assert (run.id, run.row, run.without_photo) == (first, 10, 2)
        assert +run.verdicts == {Verdict.UNCHANGED: 9, Verdict.REJECTED: 1}
        with engine.connect() as connection:
            found = find_import(connection, first, None)
            assert found is not None
            assert (found.status, found.note, found.ended_at) == ("running", None, None)
            assert dict(accepted_ids(connection, first)) == {f"s{n}": n for n in range(1, 10)}
            assert list_verdicts(connection, first, None, 8, 5) == [
                RowVerdict(9, "s9", Verdict.UNCHANGED, notes=(Reason(ReasonCode.NO_PHOTO),)),
                RowVerdict(10, None, Verdict.REJECTED, reason=Reason.other("bad")),
            ]
            assert [row.number for row in list_verdicts(connection, first, Verdict.REJECTED, 0, 5)] == [10]
        add(units, first, 11, 12)

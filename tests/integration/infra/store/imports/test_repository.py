"""Imports on Postgres: which continues, which begins anew, and that two processes never write the same rows."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from infra.store.imports import repository
from infra.store.imports.queries import find_import, list_verdicts
from infra.store.imports.repository import accepted_ids
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import ImportStatus, RowVerdict
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.imports import end_import
from tests.integration.imports import file_import


@pytest.fixture
def source_id(source: Source) -> int:
    return source.id


def rows(first: int, last: int) -> list[RowVerdict]:
    return [RowVerdict(n, f"s{n}", Verdict.UNCHANGED, note="no photo") for n in range(first, last)] + [
        RowVerdict(last, None, Verdict.REJECTED, reason="bad")
    ]


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
                RowVerdict(9, "s9", Verdict.UNCHANGED, note="no photo"),
                RowVerdict(10, None, Verdict.REJECTED, reason="bad"),
            ]
            assert [row.number for row in list_verdicts(connection, first, Verdict.REJECTED, 0, 5)] == [10]
        add(units, first, 11, 12)


def test_another_file_begins_anew_and_the_abandoned_import_is_failed(
    engine: Engine, units: UnitsOfWork, source_id: int
) -> None:
    first = abandoned(engine, units, source_id)
    with file_import(engine, source_id, "changed") as run:
        assert (run.id > first, run.row) == (True, 0)
        with engine.connect() as connection:
            found = find_import(connection, first, None)
        assert found is not None
        assert (found.status, found.note) == ("failed", "interrupted")


def test_rows_imported_after_an_interrupted_import_are_not_overtaken(
    engine: Engine, units: UnitsOfWork, source_id: int
) -> None:
    first = abandoned(engine, units, source_id)
    second = abandoned(engine, units, source_id, "other")
    end_import(units, second, ImportStatus.DONE)
    assert abandoned(engine, units, source_id) not in (first, second)


@pytest.mark.parametrize("reason", ["it ended well", "afresh", "its verdicts were purged"])
def test_an_import_begins_anew_when(engine: Engine, units: UnitsOfWork, source_id: int, reason: str) -> None:
    first = abandoned(engine, units, source_id)
    if reason == "it ended well":
        end_import(units, first, ImportStatus.DONE)
    elif reason == "its verdicts were purged":
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM import_rows WHERE number < 5"))
    with file_import(engine, source_id, afresh=reason == "afresh") as run:
        assert (run.id > first, run.row) == (True, 0)


def test_one_process_at_a_time_works_on_an_import(
    engine: Engine, source_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "PATIENCE", 50)
    with (
        file_import(engine, source_id) as run,
        pytest.raises(Conflict, match=f"already running, as import {run.id}"),
        file_import(engine, source_id),
    ):
        raise AssertionError("never reached")
    with file_import(engine, source_id) as run, file_import(engine, source_id, "g", "b.csv") as other:
        assert run.id != other.id, "other files are imported side by side"
        with engine.connect() as connection:
            assert connection.scalars(text("SELECT status FROM imports")).all() == ["running", "running"]


def test_an_import_whose_verdicts_were_purged_is_failed_by_the_one_that_begins_anew(
    engine: Engine, units: UnitsOfWork, source_id: int
) -> None:
    first = abandoned(engine, units, source_id)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM import_rows WHERE number < 5"))
    with file_import(engine, source_id), engine.connect() as connection:
        found = find_import(connection, first, None)
    assert found is not None
    assert (found.status, found.note) == ("failed", "interrupted")


def test_rows_that_are_not_the_next_are_refused(engine: Engine, units: UnitsOfWork, source_id: int) -> None:
    with file_import(engine, source_id) as run:
        add(units, run.id, 1, 10)
        for first, last in ((1, 10), (5, 12), (12, 13)):
            with pytest.raises(Conflict, match=f"import {run.id} is not at row {first - 1}"):
                add(units, run.id, first, last)
        end_import(units, run.id, ImportStatus.DONE)
        with pytest.raises(Conflict):
            add(units, run.id, 11, 12)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM import_rows")) == 10

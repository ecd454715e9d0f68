"""Which import goes on, which starts anew, and that two never write the same rows."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from infra.store.imports import opening
from infra.store.imports.opening import open_import
from infra.store.imports.queries import find_import, import_rows
from infra.store.imports.repository import SqlImports, end_import, met_ids
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import ImportStatus, RowVerdict
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict


@pytest.fixture
def source_id(source: Source) -> int:
    return source.id


def rows(first: int, last: int) -> list[RowVerdict]:
    return [RowVerdict(n, f"s{n}", Verdict.UNCHANGED, note="no photo") for n in range(first, last)] + [
        RowVerdict(last, None, Verdict.REJECTED, reason="bad")
    ]


def add(engine: Engine, import_id: int, first: int, last: int) -> None:
    with engine.begin() as connection:
        SqlImports(connection).add_page(import_id, rows(first, last), 2)


def end(engine: Engine, import_id: int, status: ImportStatus) -> None:
    with engine.begin() as connection:
        end_import(connection, import_id, status, "a note")


def started(engine: Engine, source_id: int, fingerprint: str = "f", page: int = 10) -> int:
    """An import that took a page in and was then killed."""
    with open_import(engine, source_id, "a.csv", 99, fingerprint) as run:
        if page:
            add(engine, run.id, run.row + 1, run.row + page)
    return run.id


@pytest.mark.parametrize("ending", [None, ImportStatus.FAILED])
def test_an_interrupted_import_of_the_same_goes_on_with_its_counts(engine: Engine, source_id: int, ending) -> None:
    first = started(engine, source_id)
    if ending:
        end(engine, first, ending)
    with open_import(engine, source_id, "renamed.csv", 99, "f") as run:
        assert (run.id, run.row, run.without_photo) == (first, 10, 2)
        assert +run.verdicts == {Verdict.UNCHANGED: 9, Verdict.REJECTED: 1}
        with engine.connect() as connection:
            found = find_import(connection, first, None)
            assert found is not None
            assert (found["status"], found["note"], found["ended_at"]) == ("running", None, None)
            assert dict(met_ids(connection, first)) == {f"s{n}": n for n in range(1, 10)}
            assert import_rows(connection, first, None, 8, 5) == [
                {"number": 9, "external_id": "s9", "listing_id": None, "verdict": "unchanged"}
                | {"reason": None, "note": "no photo"},
                {"number": 10, "external_id": None, "listing_id": None, "verdict": "rejected"}
                | {"reason": "bad", "note": None},
            ]
        add(engine, first, 11, 12)


def test_another_file_starts_anew_and_the_interrupted_one_is_told(engine: Engine, source_id: int) -> None:
    first = started(engine, source_id)
    with open_import(engine, source_id, "a.csv", 99, "changed") as run:
        assert (run.id > first, run.row) == (True, 0)
        with engine.connect() as connection:
            found = find_import(connection, first, None)
        assert found is not None
        assert (found["status"], found["note"]) == ("failed", "interrupted")


def test_what_came_after_an_interrupted_import_is_not_overtaken(engine: Engine, source_id: int) -> None:
    first = started(engine, source_id)
    second = started(engine, source_id, "other")
    end(engine, second, ImportStatus.DONE)
    third = started(engine, source_id)
    assert third not in (first, second)


@pytest.mark.parametrize("reason", ["it ended well", "afresh", "its rows were purged"])
def test_it_starts_anew_when(engine: Engine, source_id: int, reason: str) -> None:
    first = started(engine, source_id)
    if reason == "it ended well":
        end(engine, first, ImportStatus.DONE)
    elif reason == "its rows were purged":
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM import_rows WHERE number < 5"))
    with open_import(engine, source_id, "a.csv", 99, "f", afresh=reason == "afresh") as run:
        assert (run.id > first, run.row) == (True, 0)


def test_one_process_at_a_time(engine: Engine, source_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "PATIENCE", 50)
    with (
        open_import(engine, source_id, "a.csv", 99, "f") as run,
        pytest.raises(Conflict, match=f"right now, as import {run.id}"),
        open_import(engine, source_id, "a.csv", 99, "f"),
    ):
        raise AssertionError("never reached")
    with open_import(engine, source_id, "a.csv", 99, "f") as run, open_import(engine, source_id, "b", 9, "g") as other:
        assert run.id != other.id, "other files come in side by side"
        with engine.connect() as connection:
            assert connection.scalars(text("SELECT status FROM imports")).all() == ["running", "running"]


def test_rows_that_are_not_the_next_are_refused(engine: Engine, source_id: int) -> None:
    with open_import(engine, source_id, "a.csv", 99, "f") as run:
        add(engine, run.id, 1, 10)
        for first, last in ((1, 10), (5, 12), (12, 13)):
            with pytest.raises(Conflict, match=f"import {run.id} does not stand at row {first - 1}"):
                add(engine, run.id, first, last)
        end(engine, run.id, ImportStatus.DONE)
        with pytest.raises(Conflict):
            add(engine, run.id, 11, 12)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM import_rows")) == 10

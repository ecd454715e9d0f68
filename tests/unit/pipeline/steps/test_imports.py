"""Opening, continuing and ending imports, and withdrawing vanished products, on the in-memory store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.import_run import ImportRequest, ImportRun, ImportStatus, IncomingRow, PageCounts, Withdrawal
from pipeline.domain.job import JobKind, JobState, Priority, Requested
from pipeline.domain.listing import Content, Submission
from pipeline.domain.product_source import ProductPage, ProductQuery, QueryKind
from pipeline.domain.source import Source
from pipeline.steps.imports import (
    begin_import,
    begin_or_continue,
    end_import,
    import_page,
    note_waiting,
    resumed_import,
    running_import,
    withdraw_vanished,
)
from pipeline.steps.intake import accept
from tests.fakes.unit_of_work import MemoryStore

QUERY = ProductQuery(QueryKind.CATEGORY, "champagnes")
WINES = ProductQuery(QueryKind.CATEGORY, "wines")
DATABASE = "openfoodfacts"
FIRST = {"1": "Brut", "2": "Rosé", "3": "Demi-sec", "4": "Blanc de blancs"}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def source(store: MemoryStore) -> Source:
    return store.add_source("shop")


@pytest.fixture
def file(source: Source) -> ImportRequest:
    return ImportRequest(source.id, "catalogue.csv", "fingerprint", total=9)


def of_query(source: Source, query: ProductQuery = QUERY) -> ImportRequest:
    return ImportRequest.of_query(source.id, DATABASE, query)


def add_rows(store: MemoryStore, request: ImportRequest, run: ImportRun, names: Mapping[str, str]) -> None:
    rows = [
        IncomingRow(number, code, Content(name) if name else None, None if name else "it has no name")
        for number, (code, name) in enumerate(names.items(), run.row + 1)
    ]
    import_page(store.units, request.source_id, run.id, rows)


def interrupted(store: MemoryStore, request: ImportRequest, names: Mapping[str, str] = FIRST) -> int:
    """An import that failed after its first rows."""

    def fail() -> int:
        with running_import(store.units, store.locks, request) as run:
            add_rows(store, request, run, names)
            raise OSError(run.id)

    with pytest.raises(OSError) as failed:
        fail()
    return int(failed.value.args[0])


def complete(store: MemoryStore, request: ImportRequest, names: Mapping[str, str]) -> int:
    """An import from a database that met all products."""
    assert request.query is not None
    with running_import(store.units, store.locks, request, afresh=True) as run:
        add_rows(store, request, run, names)
        with store.units() as unit:
            reached = store.tables.imports[run.id].run
            page = ProductPage((), None)
            unit.imports.advance(reached.after_page(request.query, page, PageCounts(Counter(), 0)))
            unit.commit()
    return run.id


def status_of(store: MemoryStore, import_id: int) -> tuple[ImportStatus, str | None]:
    record = store.tables.imports[import_id]
    return record.status, record.note


def withdrawn(store: MemoryStore) -> list[str]:
    return [listing.external_id for listing in store.tables.listings.values() if listing.withdrawn]


def test_an_import_is_done_when_its_block_ends(store: MemoryStore, file: ImportRequest) -> None:
    with running_import(store.units, store.locks, file) as run:
        assert run == ImportRun(run.id)
        assert store.held == {run.id}
        assert status_of(store, run.id) == (ImportStatus.RUNNING, None)
    assert status_of(store, run.id) == (ImportStatus.DONE, None)
    assert store.held == set()


@pytest.mark.parametrize(
    ("error", "note"),
    [(OSError("no space"), "no space"), (KeyError(), "KeyError"), (KeyboardInterrupt(), "interrupted")],
)
def test_an_import_fails_with_the_error_of_its_block(
    store: MemoryStore, file: ImportRequest, error: BaseException, note: str
) -> None:
    with pytest.raises(type(error)), running_import(store.units, store.locks, file) as run:
        raise error
    assert status_of(store, run.id) == (ImportStatus.FAILED, note)
    assert store.held == set()


def test_an_import_whose_failure_cannot_be_written_stays_running_and_continues(
    store: MemoryStore, file: ImportRequest
) -> None:
    def lose_the_database() -> None:
        with running_import(store.units, store.locks, file) as run:
            add_rows(store, file, run, FIRST)
            store.fail_next_commit()
            raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        lose_the_database()
    (import_id,) = store.tables.imports
    assert status_of(store, import_id) == (ImportStatus.RUNNING, None)
    with running_import(store.units, store.locks, file) as again:
        assert (again.id, again.row) == (import_id, 4)


def test_an_interrupted_import_of_the_same_request_continues(store: MemoryStore, file: ImportRequest) -> None:
    first = interrupted(store, file)
    with running_import(store.units, store.locks, file) as run:
        assert (run.id, run.row) == (first, 4)
        assert status_of(store, first) == (ImportStatus.RUNNING, None)
        add_rows(store, file, run, {"5": "Doux"})
    assert status_of(store, first) == (ImportStatus.DONE, None)


@pytest.mark.parametrize("reason", ["it is done", "afresh", "its verdicts were purged", "another request"])
def test_a_new_import_begins_when(store: MemoryStore, source: Source, file: ImportRequest, reason: str) -> None:
    first = interrupted(store, file)
    request = ImportRequest(source.id, "other.csv", "other") if reason == "another request" else file
    if reason == "it is done":
        store.tables.imports[first].status = ImportStatus.DONE
    if reason == "its verdicts were purged":
        del store.tables.import_rows[(first, 1)]
    with running_import(store.units, store.locks, request, afresh=reason == "afresh") as run:
        assert run.id > first
        assert run.row == 0


def test_what_was_imported_after_an_interrupted_file_is_not_overtaken(
    store: MemoryStore, source: Source, file: ImportRequest
) -> None:
    first = interrupted(store, file)
    with running_import(store.units, store.locks, ImportRequest(source.id, "newer.csv", "newer")):
        pass
    with running_import(store.units, store.locks, file) as run:
        assert run.id > first


def test_an_interrupted_query_continues_after_other_imports_unless_it_is_days_old(
    store: MemoryStore, source: Source, file: ImportRequest
) -> None:
    first = interrupted(store, of_query(source))
    interrupted(store, file)
    with running_import(store.units, store.locks, of_query(source)) as run:
        assert run.id == first
    second = interrupted(store, of_query(source), {})
    store.tables.imports[second].old = True
    with running_import(store.units, store.locks, of_query(source)) as run:
        assert run.id > second


def test_two_processes_never_work_on_one_import(store: MemoryStore, source: Source, file: ImportRequest) -> None:
    with running_import(store.units, store.locks, file) as run:
        with (
            pytest.raises(Conflict, match=f"is already running, as import {run.id}"),
            running_import(store.units, store.locks, file),
        ):
            raise AssertionError("never reached")
        with running_import(store.units, store.locks, ImportRequest(source.id, "other.csv", "other")) as other:
            assert store.held == {run.id, other.id}
    assert status_of(store, run.id) == (ImportStatus.DONE, None)


def test_an_abandoned_import_is_failed_when_another_begins(store: MemoryStore, source: Source) -> None:
    abandoned, with_job = store.add_import(source.id), store.add_import(source.id)
    with store.units() as unit:
        unit.long_jobs.add(JobKind.COLLECT, {"import_id": with_job}, priority=Priority.IMPORT)
        unit.commit()
    with running_import(store.units, store.locks, ImportRequest(source.id, "other.csv", "other")):
        assert status_of(store, abandoned) == (ImportStatus.FAILED, "interrupted")
        assert status_of(store, with_job) == (ImportStatus.RUNNING, None)


def test_a_query_starts_where_its_last_import_said_unless_afresh(store: MemoryStore, source: Source) -> None:
    first = complete(store, of_query(source), FIRST)
    store.tables.imports[first].run = ImportRun(first, 4, next_time={"since": 7})
    with running_import(store.units, store.locks, of_query(source)) as run:
        assert run.following == {"since": 7}
    with running_import(store.units, store.locks, of_query(source), afresh=True) as run:
        assert run.following is None


def test_an_import_from_a_database_is_resumed_by_its_id(store: MemoryStore, source: Source) -> None:
    first = interrupted(store, of_query(source))
    with resumed_import(store.units, store.locks, first) as record:
        assert (record.run.id, record.run.row, record.query, record.database) == (first, 4, QUERY, DATABASE)
        assert status_of(store, first) == (ImportStatus.RUNNING, None)
        with pytest.raises(Conflict), resumed_import(store.units, store.locks, first):
            raise AssertionError("never reached")
    assert store.held == set()


def test_a_done_import_stays_done_when_it_is_resumed(store: MemoryStore, source: Source) -> None:
    first = complete(store, of_query(source), FIRST)
    with resumed_import(store.units, store.locks, first) as record:
        assert record.status is ImportStatus.DONE
        assert status_of(store, first) == (ImportStatus.DONE, None)


def test_files_and_unknown_imports_cannot_be_resumed(store: MemoryStore, file: ImportRequest) -> None:
    for import_id in (interrupted(store, file), 99):
        with pytest.raises(NotFound), resumed_import(store.units, store.locks, import_id):
            raise AssertionError("never reached")


def test_a_worker_is_asked_once_for_an_import(store: MemoryStore, source: Source) -> None:
    with store.units() as unit:
        first = begin_or_continue(unit, of_query(source))
        assert first.is_new
        unit.long_jobs.add(JobKind.COLLECT, {"import_id": first.id}, priority=Priority.IMPORT)
        assert begin_or_continue(unit, of_query(source)) == Requested(first.id, is_new=False)
        other = begin_or_continue(unit, of_query(source, WINES))
        assert other.is_new
        assert other.id != first.id
        unit.commit()


def test_a_worker_continues_an_interrupted_import_unless_afresh(store: MemoryStore, source: Source) -> None:
    first = interrupted(store, of_query(source))
    with store.units() as unit:
        assert begin_or_continue(unit, of_query(source)) == Requested(first, is_new=True)
    with store.units() as unit:
        assert begin_or_continue(unit, of_query(source), afresh=True).id > first


def test_an_import_that_another_process_works_on_is_in_progress(store: MemoryStore, source: Source) -> None:
    with running_import(store.units, store.locks, of_query(source)) as run, store.units() as unit:
        assert begin_or_continue(unit, of_query(source)) == Requested(run.id, is_new=False)


def test_a_unique_key_has_one_import(store: MemoryStore, source: Source) -> None:
    request = ImportRequest.of_query(source.id, DATABASE, QUERY, "collection:1:monday")
    with store.units() as unit:
        assert begin_import(unit, request) is not None
        assert begin_import(unit, request) is None


def test_an_import_waits_in_vain_when_nothing_came_since(store: MemoryStore, source: Source) -> None:
    import_id = interrupted(store, of_query(source), {})
    store.tables.imports[import_id].status = ImportStatus.RUNNING
    assert not note_waiting(store.units, import_id, 0)
    assert not note_waiting(store.units, import_id, 60)
    assert note_waiting(store.units, import_id, 0)


def test_a_done_import_tells_what_vanished_and_asks_for_proposals(store: MemoryStore, source: Source) -> None:
    complete(store, of_query(source), FIRST)
    second = complete(store, of_query(source), {"1": "Brut", "2": ""})
    vanished = store.tables.imports[second].vanished
    assert [row.external_id for row in vanished or ()] == ["3", "4"]


def test_vanished_products_are_withdrawn_with_their_jobs_and_once(store: MemoryStore, source: Source) -> None:
    complete(store, of_query(source), FIRST)
    second = complete(store, of_query(source), {"1": "Brut", "2": "Rosé", "4": "Blanc de blancs"})
    assert withdrawn(store) == []
    assert withdraw_vanished(store.units, second) == Withdrawal(1, 0)
    assert withdrawn(store) == ["3"]
    superseded = [job for job in store.tables.jobs.values() if job.state is JobState.SUPERSEDED]
    assert [job.note for job in superseded] == ["the listing was withdrawn"]
    assert withdraw_vanished(store.units, second) == Withdrawal(0, 0)


def test_vanished_products_are_withdrawn_in_chunks_that_are_committed(
    store: MemoryStore, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(store, of_query(source), FIRST)
    second = complete(store, of_query(source), {"5": "Doux"})
    monkeypatch.setattr("pipeline.steps.imports.CHUNK", 3)
    commits = store.commits
    assert withdraw_vanished(store.units, second, even_most=True) == Withdrawal(4, 0)
    assert store.commits == commits + 2


def test_products_that_are_met_elsewhere_or_posted_since_are_kept(store: MemoryStore, source: Source) -> None:
    complete(store, of_query(source, WINES), {"1": "Brut"})
    complete(store, of_query(source), FIRST | {"6": "Nature"})
    second = complete(store, of_query(source), {"6": "Nature", "7": "Sec"})
    complete(store, of_query(source, ProductQuery(QueryKind.TEXT, "rosé")), {"2": "Rosé"})
    accept(store.units, source.id, [Submission("3", Content("Demi-sec, ours"))], Priority.PIPELINE)
    with pytest.raises(Conflict, match="4 of the 5 products of import"):
        withdraw_vanished(store.units, second)
    assert withdraw_vanished(store.units, second, even_most=True) == Withdrawal(1, 3)
    assert withdrawn(store) == ["4"]


def test_only_the_last_import_of_a_query_may_withdraw(store: MemoryStore, source: Source, file: ImportRequest) -> None:
    first = complete(store, of_query(source), FIRST)
    second = complete(store, of_query(source), {"1": "Brut", "2": "Rosé", "3": "Demi-sec"})
    third = complete(store, of_query(source), FIRST)
    with pytest.raises(Conflict, match=f"again since, as import {third}"):
        withdraw_vanished(store.units, second)
    for unknown in (first, interrupted(store, file)):
        with pytest.raises(Conflict, match=f"import {unknown} does not tell what vanished"):
            withdraw_vanished(store.units, unknown)
    with pytest.raises(NotFound):
        withdraw_vanished(store.units, 99)
    assert withdrawn(store) == []


def test_an_import_that_ends_early_is_not_compared(store: MemoryStore, source: Source) -> None:
    complete(store, of_query(source), FIRST)
    with store.units() as unit:
        second = begin_import(unit, of_query(source), afresh=True)
        unit.commit()
    assert second is not None
    end_import(store.units, second, ImportStatus.FAILED, "it broke")
    assert store.tables.imports[second].vanished is None

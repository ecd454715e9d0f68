"""Imports: one is opened, continued, ended and compared with the one before it."""

from __future__ import annotations

import pytest

from infra.store.imports import repository
from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.import_run import ImportRequest, ImportRun, ImportStatus, Withdrawal
from pipeline.domain.job import JobKind, JobState, Priority, Requested
from pipeline.domain.listing import Content, Submission
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.domain.source import Source
from pipeline.steps.imports import (
    begin_import,
    begin_or_continue,
    end_import,
    note_waiting,
    resumed_import,
    running_import,
    withdraw_vanished,
)
from pipeline.steps.intake import accept
from tests.contracts.contract_store import ContractStore
from tests.contracts.import_runs import DATABASE, FIRST, QUERY, WINES, add_rows, complete, interrupted, of_query

DAY = 86_400


@pytest.fixture
def file(source: Source) -> ImportRequest:
    return ImportRequest(source.id, "catalogue.csv", "fingerprint", total=9)


def status_of(store: ContractStore, import_id: int) -> tuple[str, str | None]:
    return store.import_state(import_id).status, store.import_note(import_id)


def is_held(store: ContractStore, import_id: int) -> bool:
    with store.locks() as lock:
        try:
            lock.acquire(import_id)
        except Conflict:
            return True
    return False


@pytest.fixture(autouse=True)
def _without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "LOCK_TIMEOUT_MS", 50)


def test_an_import_is_done_when_its_block_ends(store: ContractStore, file: ImportRequest) -> None:
    with running_import(store.units, store.locks, file) as run:
        assert run == ImportRun(run.id, total=9)
        assert is_held(store, run.id)
        assert status_of(store, run.id) == ("running", None)
    assert status_of(store, run.id) == ("done", None)
    assert not is_held(store, run.id)


@pytest.mark.parametrize(
    ("error", "note"),
    [(OSError("no space"), "no space"), (KeyError(), "KeyError"), (KeyboardInterrupt(), "interrupted")],
)
def test_an_import_fails_with_the_error_of_its_block(
    store: ContractStore, file: ImportRequest, error: BaseException, note: str
) -> None:
    with pytest.raises(type(error)), running_import(store.units, store.locks, file) as run:
        raise error
    assert status_of(store, run.id) == ("failed", note)
    assert not is_held(store, run.id)


def test_an_interrupted_import_of_the_same_request_continues(store: ContractStore, file: ImportRequest) -> None:
    first = interrupted(store, file)
    with running_import(store.units, store.locks, file) as run:
        assert (run.id, run.row) == (first, 4)
        assert status_of(store, first) == ("running", None)
        add_rows(store, file, run, {"5": "Doux"})
    assert status_of(store, first) == ("done", None)


@pytest.mark.parametrize("reason", ["it is done", "afresh", "its verdicts were purged", "another request"])
def test_a_new_import_begins_when(store: ContractStore, source: Source, file: ImportRequest, reason: str) -> None:
    first = interrupted(store, file)
    request = ImportRequest(source.id, "other.csv", "other") if reason == "another request" else file
    if reason == "it is done":
        end_import(store.units, first, ImportStatus.DONE)
    if reason == "its verdicts were purged":
        store.purge_verdict(first, 1)
    with running_import(store.units, store.locks, request, afresh=reason == "afresh") as run:
        assert run.id > first
        assert run.row == 0
    ended = ("done", None) if reason == "it is done" else ("failed", "no space")
    assert status_of(store, first) == ended


def test_what_was_imported_after_an_interrupted_file_is_not_overtaken(
    store: ContractStore, source: Source, file: ImportRequest
) -> None:
    first = interrupted(store, file)
    with running_import(store.units, store.locks, ImportRequest(source.id, "newer.csv", "newer")):
        pass
    with running_import(store.units, store.locks, file) as run:
        assert run.id > first


def test_an_interrupted_query_continues_after_other_imports_unless_it_is_days_old(
    store: ContractStore, source: Source, file: ImportRequest
) -> None:
    first = interrupted(store, of_query(source))
    interrupted(store, file)
    with running_import(store.units, store.locks, of_query(source)) as run:
        assert run.id == first
    second = interrupted(store, of_query(source), {})
    store.pass_time(3 * DAY)
    with running_import(store.units, store.locks, of_query(source)) as run:
        assert run.id > second


def test_two_processes_never_work_on_one_import(store: ContractStore, source: Source, file: ImportRequest) -> None:
    with running_import(store.units, store.locks, file) as run:
        with (
            pytest.raises(Conflict, match=f"already running, as import {run.id}"),
            running_import(store.units, store.locks, file),
        ):
            raise AssertionError("never reached")
        with running_import(store.units, store.locks, ImportRequest(source.id, "other.csv", "other")) as other:
            assert (is_held(store, run.id), is_held(store, other.id)) == (True, True)
    assert status_of(store, run.id) == ("done", None)


def test_an_abandoned_import_is_failed_when_another_begins(store: ContractStore, source: Source) -> None:
    abandoned, with_job = store.add_import(source.id), store.add_import(source.id)
    with store.units() as unit:
        unit.long_jobs.add(JobKind.COLLECT, {"import_id": with_job}, priority=Priority.IMPORT)
        unit.commit()
    with running_import(store.units, store.locks, ImportRequest(source.id, "other.csv", "other")):
        assert status_of(store, abandoned) == ("failed", "interrupted")
        assert status_of(store, with_job) == ("running", None)


def test_a_query_starts_where_its_last_import_said_unless_afresh(store: ContractStore, source: Source) -> None:
    complete(store, of_query(source), FIRST)
    with running_import(store.units, store.locks, of_query(source)) as run:
        assert run.following == {"since": 7}
    with running_import(store.units, store.locks, of_query(source), afresh=True) as run:
        assert run.following is None


def test_an_import_from_a_database_is_resumed_by_its_id(store: ContractStore, source: Source) -> None:
    first = interrupted(store, of_query(source))
    with resumed_import(store.units, store.locks, first) as record:
        assert (record.run.id, record.run.row, record.query, record.database) == (first, 4, QUERY, DATABASE)
        assert status_of(store, first) == ("running", None)
        with pytest.raises(Conflict), resumed_import(store.units, store.locks, first):
            raise AssertionError("never reached")
    assert not is_held(store, first)


def test_a_done_import_stays_done_when_it_is_resumed(store: ContractStore, source: Source) -> None:
    first = complete(store, of_query(source), FIRST)
    with resumed_import(store.units, store.locks, first) as record:
        assert record.status is ImportStatus.DONE
    assert status_of(store, first) == ("done", None)


def test_files_and_unknown_imports_cannot_be_resumed(store: ContractStore, file: ImportRequest) -> None:
    for import_id in (interrupted(store, file), 99):
        with pytest.raises(NotFound), resumed_import(store.units, store.locks, import_id):
            raise AssertionError("never reached")


def test_a_worker_is_asked_once_for_an_import(store: ContractStore, source: Source) -> None:
    with store.units() as unit:
        first = begin_or_continue(unit, of_query(source))
        assert first.is_new
        unit.long_jobs.add(JobKind.COLLECT, {"import_id": first.id}, priority=Priority.IMPORT)
        assert begin_or_continue(unit, of_query(source)) == Requested(first.id, is_new=False)
        other = begin_or_continue(unit, of_query(source, WINES))
        assert other.is_new
        assert other.id != first.id
        unit.commit()


def test_a_worker_continues_an_interrupted_import_unless_afresh(store: ContractStore, source: Source) -> None:
    first = interrupted(store, of_query(source))
    with store.units() as unit:
        assert begin_or_continue(unit, of_query(source)) == Requested(first, is_new=True)
    with store.units() as unit:
        assert begin_or_continue(unit, of_query(source), afresh=True).id > first


def test_an_import_that_another_process_works_on_is_in_progress(store: ContractStore, source: Source) -> None:
    with running_import(store.units, store.locks, of_query(source)) as run, store.units() as unit:
        assert begin_or_continue(unit, of_query(source)) == Requested(run.id, is_new=False)


def test_a_unique_key_has_one_import(store: ContractStore, source: Source) -> None:
    request = ImportRequest.of_query(source.id, DATABASE, QUERY, "collection:1:monday")
    with store.units() as unit:
        assert begin_import(unit, request) is not None
        assert begin_import(unit, request) is None


def test_an_import_waits_in_vain_when_nothing_came_since(store: ContractStore, source: Source) -> None:
    import_id = interrupted(store, of_query(source), {})
    assert not note_waiting(store.units, import_id, 0)
    assert not note_waiting(store.units, import_id, 60)
    assert note_waiting(store.units, import_id, 0)


def test_a_done_import_tells_what_vanished_and_asks_for_proposals(store: ContractStore, source: Source) -> None:
    complete(store, of_query(source), FIRST)
    second = complete(store, of_query(source), {"1": "Brut", "2": ""})
    assert store.vanished(second) == ["3", "4"]


def test_vanished_products_are_withdrawn_with_their_jobs_and_once(store: ContractStore, source: Source) -> None:
    complete(store, of_query(source), FIRST)
    second = complete(store, of_query(source), {"1": "Brut", "2": "Rosé", "4": "Blanc de blancs"})
    assert store.withdrawn() == []
    assert withdraw_vanished(store.units, second) == Withdrawal(1, 0)
    assert store.withdrawn() == ["3"]
    superseded = [job for job in store.jobs() if job.state == JobState.SUPERSEDED]
    assert [(job.external_id, job.note) for job in superseded] == [("3", "the listing was withdrawn")]
    assert withdraw_vanished(store.units, second) == Withdrawal(0, 0)


def test_products_that_are_met_elsewhere_or_posted_since_are_kept(store: ContractStore, source: Source) -> None:
    complete(store, of_query(source, WINES), {"1": "Brut"})
    complete(store, of_query(source), FIRST | {"6": "Nature"})
    second = complete(store, of_query(source), {"6": "Nature", "7": "Sec"})
    complete(store, of_query(source, ProductQuery(QueryKind.TEXT, "rosé")), {"2": "Rosé"})
    accept(store.units, source.id, [Submission("3", Content("Demi-sec, ours"))], Priority.PIPELINE)
    with pytest.raises(Conflict, match="4 of the 5 products of import"):
        withdraw_vanished(store.units, second)
    assert withdraw_vanished(store.units, second, even_most=True) == Withdrawal(1, 3)
    assert store.withdrawn() == ["4"]


def test_only_the_last_import_of_a_query_may_withdraw(
    store: ContractStore, source: Source, file: ImportRequest
) -> None:
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
    assert store.withdrawn() == []


def test_an_import_that_ends_early_is_not_compared(store: ContractStore, source: Source) -> None:
    complete(store, of_query(source), FIRST)
    with store.units() as unit:
        second = begin_import(unit, of_query(source), afresh=True)
        unit.commit()
    assert second is not None
    end_import(store.units, second, ImportStatus.FAILED, "it broke")
    assert store.vanished(second) is None

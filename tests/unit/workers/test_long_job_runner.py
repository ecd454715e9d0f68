"""Running long jobs over the in-memory store: how each end of a handler is written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.settings import read_settings
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import InvalidInput, PermanentFailure, StorageUnavailable, TransientFailure, Unavailable
from pipeline.domain.job import AnnouncedWorker, AttemptOutcome, FlowPolicy, JobKind, JobState, Queue
from pipeline.ports.unit_of_work import UnitOfWork
from pipeline.steps.jobs import announce_worker, send, sweep
from tests.fakes.tables import StoredJob
from tests.fakes.unit_of_work import MemoryStore
from workers.bootstrap import WorkerContext, build
from workers.long_job_runner import LongJobHandler, Postponed, heartbeat, progress_reporter, run_long_job


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    announce_worker(store.units, AnnouncedWorker("trainer", "train", Queue.TRAINING, slots=4))
    return store


@pytest.fixture
def context(store: MemoryStore, tmp_path: Path) -> Iterator[WorkerContext]:
    settings = read_settings(
        {
            "DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:9/nothing",
            "RAYON_HOME": str(tmp_path),
            "SECRET_KEY": "a secret of this test",
            "RAYON_ATTEMPT_LIMIT": "2",
        }
    )
    built = build(settings)
    yield replace(built, units=store.units)
    built.engine.dispose()


def run(store: MemoryStore, context: WorkerContext, handler: LongJobHandler, job_id: int | None = None) -> StoredJob:
    job_id = store.add_long_job(JobKind.TRAIN) if job_id is None else job_id
    send(store.units, lambda _batch: None, FlowPolicy())
    run_long_job(context, "trainer/1", job_id, handler)
    return store.tables.jobs[job_id]


def fail(error: Exception) -> LongJobHandler:
    def handler(_context: WorkerContext, _job: ClaimedLongJob) -> str:
        raise error

    return handler


def test_a_handled_job_is_done_with_the_handler_s_sentence(store: MemoryStore, context: WorkerContext) -> None:
    job = run(store, context, lambda _context, job: f"trained job {job.job_id}")
    assert (job.state, job.note, job.progress) == (JobState.DONE, f"trained job {job.id}", 1.0)


@pytest.mark.parametrize("error", [InvalidInput("no labels"), PermanentFailure("no labels"), Unavailable("no labels")])
def test_an_error_that_would_come_again_gives_the_job_up(
    store: MemoryStore, context: WorkerContext, error: Exception
) -> None:
    job = run(store, context, fail(error))
    assert (job.state, job.note) == (JobState.DEAD, "no labels")
    assert [letter.reason for letter in store.tables.dead_letters] == ["no labels"]


@pytest.mark.parametrize("error", [StorageUnavailable("the storage does not answer"), ValueError("a bug")])
def test_any_other_error_is_tried_again_up_to_the_limit(
    store: MemoryStore, context: WorkerContext, error: Exception
) -> None:
    job = run(store, context, fail(error))
    assert (job.state, job.failures, job.note) == (JobState.WAITING, 1, f"{type(error).__name__}: {error}")
    assert "Traceback" in (store.tables.attempts[job.id, 1].error or "")
    store.pass_time(10.0)
    assert run(store, context, fail(error), job.id).state is JobState.DEAD


def test_a_postponed_job_goes_on_later_without_a_failure(store: MemoryStore, context: WorkerContext) -> None:
    job = run(store, context, fail(Postponed("the source is busy", 60.0)))
    assert (job.state, job.failures, job.note, job.not_before) == (JobState.WAITING, 0, "the source is busy", 60.0)
    assert store.tables.attempts[job.id, 1].outcome is AttemptOutcome.REQUEUED


def test_a_job_that_another_worker_has_is_left_alone(store: MemoryStore, context: WorkerContext) -> None:
    job_id = store.add_long_job(JobKind.TRAIN)
    run_long_job(context, "trainer/1", job_id, fail(AssertionError("it was not claimed")))
    assert store.tables.jobs[job_id].state is JobState.WAITING


def test_progress_is_written_until_the_claim_is_lost(
    store: MemoryStore, context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.long_job_runner.REPORT_INTERVAL", 0.0)

    def handler(context: WorkerContext, job: ClaimedLongJob) -> str:
        report = progress_reporter(context, job)
        report(0.5, "fitting")
        assert store.tables.jobs[job.job_id].progress == 0.5
        store.pass_time(1000.0)
        sweep(store.units, context.settings.retry_policy())
        with pytest.raises(TransientFailure, match="taken over"):
            report(0.6, "fitting")
        return "too late"

    job = run(store, context, handler)
    assert (job.state, job.note) == (JobState.WAITING, "fitting")


def test_the_heartbeat_renews_the_lease_until_its_block_ends(store: MemoryStore, context: WorkerContext) -> None:
    def handler(context: WorkerContext, job: ClaimedLongJob) -> str:
        store.pass_time(5.0)
        renewals: list[threading.Thread] = []
        renewed = threading.Event()

        def units() -> UnitOfWork:
            renewals.append(threading.current_thread())
            if len(renewals) == 2:
                renewed.set()
            return context.units()

        with heartbeat(units, [job.claim], 0.03, 3600.0):
            assert renewed.wait(30)
        (thread,) = set(renewals)
        assert not thread.is_alive()
        return "done"

    assert run(store, context, handler).state is JobState.DONE

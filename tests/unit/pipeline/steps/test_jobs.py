"""The life of jobs over the in-memory store: sent, requeued when that fails, swept, ended."""

from __future__ import annotations

from pipeline.domain.claimed_job import LongJobResult
from pipeline.domain.job import (
    AnnouncedWorker,
    Batch,
    FlowPolicy,
    JobKind,
    JobState,
    Priority,
    Queue,
    RetryPolicy,
    SweepCounts,
)
from pipeline.domain.listing import Content, Submission
from pipeline.domain.reason import Reason
from pipeline.steps.intake import accept
from pipeline.steps.jobs import (
    announce_worker,
    claim_long_job,
    end_long_job,
    postpone,
    remove_worker,
    renew_leases,
    report_progress,
    report_speed,
    reset_failures,
    send,
    sweep,
    take_over,
)
from tests.fakes.unit_of_work import MemoryStore

FLOW = FlowPolicy(batch_limit=2, sent_deadline=30.0)
RETRY = RetryPolicy(attempt_limit=2)


def posted(count: int) -> MemoryStore:
    """A store with a worker on every queue and waiting jobs."""
    store = MemoryStore()
    source = store.add_source("shop")
    for queue in Queue:
        announce_worker(store.units, AnnouncedWorker(f"worker-{queue}", "serve", queue, slots=4))
    for number in range(count):
        accept(store.units, source.id, [Submission(str(number), Content("Mug"))], Priority.PIPELINE)
    return store


def states(store: MemoryStore) -> list[str]:
    return [job.state.value for job in store.tables.jobs.values()]


def test_jobs_are_committed_as_sent_before_they_are_published() -> None:
    store = posted(3)
    seen: list[str] = []

    def publish(batch: Batch) -> None:
        seen.extend(store.tables.jobs[job_id].state for job_id in batch.job_ids)

    assert send(store.units, publish, FLOW) == 3
    assert seen == [JobState.SENT] * 3


def test_jobs_wait_again_when_the_broker_does_not_take_them() -> None:
    store = posted(6)
    published: list[Batch] = []

    def publish(batch: Batch) -> None:
        if published:
            raise ConnectionError("the broker is away")
        published.append(batch)

    assert send(store.units, publish, FLOW) == 2
    assert states(store) == ["sent", "sent", "waiting", "waiting", "waiting", "waiting"]
    assert send(store.units, published.append, FLOW) == 4
    assert sorted(job_id for batch in published for job_id in batch.job_ids) == sorted(store.tables.jobs)


def test_every_queue_is_served() -> None:
    store = posted(1)
    store.add_long_job(JobKind.TRAIN)
    store.add_long_job(JobKind.COLLECT)
    published: list[Batch] = []
    assert send(store.units, published.append, FLOW) == 3
    assert {batch.queue for batch in published} == {Queue.CATEGORISE, Queue.TRAINING, Queue.COLLECTING}


def test_a_removed_worker_gets_nothing_more() -> None:
    store = posted(1)
    for queue in Queue:
        remove_worker(store.units, f"worker-{queue}")
    assert send(store.units, lambda _batch: None, FLOW) == 0


def test_fast_workers_get_larger_messages() -> None:
    store = posted(8)
    report_speed(store.units, "worker-categorise", 0.125)
    published: list[Batch] = []
    send(store.units, published.append, FlowPolicy(batch_limit=32))
    assert [len(batch.job_ids) for batch in published] == [4, 4]


def test_a_lost_message_is_sent_again() -> None:
    store = posted(1)
    send(store.units, lambda _batch: None, FLOW)
    store.pass_time(FLOW.sent_deadline + 1)
    assert sweep(store.units, RETRY) == SweepCounts(unclaimed=1)
    assert states(store) == ["waiting"]


def test_a_long_job_is_claimed_reported_renewed_and_ended() -> None:
    store = posted(0)
    job_id = store.add_long_job(JobKind.TRAIN)
    assert claim_long_job(store.units, job_id, "trainer/1", 20.0) is None, "it was not sent"
    send(store.units, lambda _batch: None, FLOW)
    job = claim_long_job(store.units, job_id, "trainer/1", 20.0)
    assert job is not None
    assert report_progress(store.units, job.claim, 0.5, "fitting")
    store.pass_time(15.0)
    renew_leases(store.units, [job.claim], 20.0, 3600.0)
    store.pass_time(15.0)
    assert sweep(store.units, RETRY) == SweepCounts()
    assert end_long_job(store.units, job, LongJobResult(Reason.other("trained")), RETRY)
    stored = store.tables.jobs[job_id]
    assert (stored.state, stored.note, stored.progress) == (JobState.DONE, "trained", 1.0)
    assert not report_progress(store.units, job.claim, 0.6, "fitting")


def test_a_postponed_long_job_may_be_postponed_for_ever() -> None:
    store = posted(0)
    job_id = store.add_long_job(JobKind.COLLECT)
    for _ in range(RETRY.attempt_limit + 1):
        announce_worker(store.units, AnnouncedWorker("worker-collecting", "collect", Queue.COLLECTING, slots=4))
        send(store.units, lambda _batch: None, FLOW)
        job = claim_long_job(store.units, job_id, "collector/1", 20.0)
        assert job is not None
        assert postpone(store.units, job.claim, "the source is busy", 60.0)
        store.pass_time(60.0)
    assert store.tables.jobs[job_id].failures == 0


def test_a_command_takes_a_waiting_job_from_the_relay() -> None:
    store = posted(0)
    job_id = store.add_long_job(JobKind.TRAIN)
    assert take_over(store.units, job_id, 30.0)
    assert not take_over(store.units, job_id, 30.0), "it is taken already"
    assert send(store.units, lambda _batch: None, FLOW) == 0
    assert claim_long_job(store.units, job_id, "command/1", 20.0) is not None


def test_a_job_that_makes_progress_starts_counting_failures_anew() -> None:
    store = posted(0)
    job_id = store.add_long_job(JobKind.COLLECT)
    store.tables.jobs[job_id].failures = 1
    assert take_over(store.units, job_id, 30.0)
    job = claim_long_job(store.units, job_id, "collector/1", 20.0)
    assert job is not None
    reset_failures(store.units, job)
    assert store.tables.jobs[job_id].failures == 0

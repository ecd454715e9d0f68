"""Jobs: states, policies, and how they travel in batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.job import (
    FINAL_STATES,
    OPEN_STATES,
    FlowPolicy,
    JobKind,
    JobState,
    JobToSend,
    Priority,
    Queue,
    RetryPolicy,
    batch_size,
    group_into_batches,
    queue_of,
)


def test_every_state_is_either_open_or_final() -> None:
    assert {*OPEN_STATES, *FINAL_STATES} == set(JobState)
    assert not set(OPEN_STATES) & set(FINAL_STATES)
    assert set(FINAL_STATES) == {JobState.DONE, JobState.SUPERSEDED, JobState.DEAD}


@pytest.mark.parametrize("priority", list(Priority))
def test_training_has_a_queue_of_its_own(priority: Priority) -> None:
    assert queue_of(JobKind.TRAIN, priority) is Queue.TRAINING


@pytest.mark.parametrize("priority", list(Priority))
def test_only_interactive_listings_take_the_interactive_queue(priority: Priority) -> None:
    expected = Queue.INTERACTIVE if priority is Priority.INTERACTIVE else Queue.CATEGORISE
    assert queue_of(JobKind.CATEGORISE, priority) is expected


def test_priorities_are_declared_from_most_to_least_urgent() -> None:
    assert list(Priority) == ["interactive", "pipeline", "import", "backfill"]


def test_delays_double_up_to_the_longest() -> None:
    policy = RetryPolicy(first_delay=1.0, longest_delay=10.0)
    assert [policy.delay(n, 0.0) for n in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_takes_up_to_half_away_and_nothing_overflows(attempt: int, jitter: float) -> None:
    policy = RetryPolicy()
    full = policy.delay(attempt, 0.0)
    assert full / 2 <= policy.delay(attempt, jitter) <= full <= policy.longest_delay


POLICY = FlowPolicy(batch_seconds=0.5, batch_limit=32)


def due(*jobs: tuple[int, Priority], kind: JobKind = JobKind.CATEGORISE, alone: bool = False) -> list[JobToSend]:
    return [JobToSend(job_id, kind, priority, alone) for job_id, priority in jobs]


@pytest.mark.parametrize(
    ("queue", "seconds", "size"),
    [
        (Queue.CATEGORISE, 0.1, 5),
        (Queue.CATEGORISE, 0.001, 32),
        (Queue.CATEGORISE, 2.0, 1),
        (Queue.CATEGORISE, None, 8),
        (Queue.CATEGORISE, 0.0, 8),
        (Queue.INTERACTIVE, 0.001, 1),
        (Queue.TRAINING, None, 1),
        (Queue.COLLECTING, None, 1),
    ],
)
def test_a_message_carries_half_a_second_of_work_at_most_the_limit(
    queue: Queue, seconds: float | None, size: int
) -> None:
    assert batch_size(queue, seconds, POLICY) == size


def test_workers_of_unknown_speed_get_no_more_than_the_limit() -> None:
    assert batch_size(Queue.CATEGORISE, None, FlowPolicy(batch_limit=3)) == 3


def test_jobs_are_grouped_by_priority_in_the_order_of_their_most_urgent() -> None:
    jobs = due(
        (1, Priority.PIPELINE), (2, Priority.IMPORT), (3, Priority.PIPELINE), (4, Priority.PIPELINE),
        (5, Priority.IMPORT),
    )  # fmt: skip
    batches = group_into_batches(Queue.CATEGORISE, jobs, 2)
    assert [batch.job_ids for batch in batches] == [(1, 3), (2, 5), (4,)]
    assert [batch.priority for batch in batches] == [Priority.PIPELINE, Priority.IMPORT, Priority.PIPELINE]
    assert {batch.queue for batch in batches} == {Queue.CATEGORISE}


def test_long_jobs_and_survivors_of_a_death_travel_alone() -> None:
    survivors = due((1, Priority.PIPELINE), (2, Priority.PIPELINE), alone=True)
    others = due((3, Priority.PIPELINE), (4, Priority.PIPELINE))
    assert [b.job_ids for b in group_into_batches(Queue.CATEGORISE, survivors + others, 8)] == [(1,), (2,), (3, 4)]
    long_jobs = due((1, Priority.PIPELINE), (2, Priority.PIPELINE), kind=JobKind.TRAIN)
    assert [b.job_ids for b in group_into_batches(Queue.TRAINING, long_jobs, 8)] == [(1,), (2,)]

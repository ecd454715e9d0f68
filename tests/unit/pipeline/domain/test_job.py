"""Queues by priority, and how late a job is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.job import JobKind, Priority, Queue, RetryPolicy, queue_of


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

"""The end of a long job wakes the relay only where it leaves a job to send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from pipeline.domain.job import JobKind
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from tests.contracts.queues import claim_long_job
from tests.contracts.stores import OnPostgres
from tests.integration.infra.store.test_study_stages import StudyJobs


@pytest.fixture
def store(engine: Engine) -> Iterator[OnPostgres]:
    """The store on that database, which listens for what wakes the relay."""
    store = OnPostgres(engine)
    yield store
    store.close()


def test_the_end_of_a_stage_wakes_the_relay_for_the_next(
    engine: Engine, units: UnitsOfWork, source: Source, store: OnPostgres
) -> None:
    jobs = StudyJobs(engine, units, source)
    jobs.freeze("tfidf", "bag_of_words")
    (sample,) = jobs.take()
    store.relay_was_woken()
    jobs.end(sample)
    assert store.relay_was_woken()
    first, *others = jobs.take()
    assert others
    store.relay_was_woken()
    jobs.end(first)
    assert not store.relay_was_woken(), "the stage has open jobs"


def test_the_end_of_a_job_that_no_other_follows_does_not_wake_it(
    engine: Engine, units: UnitsOfWork, source: Source, store: OnPostgres
) -> None:
    jobs = StudyJobs(engine, units, source)
    training = claim_long_job(store, JobKind.TRAIN)
    store.relay_was_woken()
    jobs.end(training)
    assert not store.relay_was_woken()

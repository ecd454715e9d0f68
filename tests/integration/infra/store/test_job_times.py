"""When jobs and attempts have ended: written where they end, and only there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from pipeline.domain.job import JobKind, Retry, RetryCause
from pipeline.domain.reason import Reason
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from tests.contracts.queues import LEASE, claim_long_job, finish, sweep
from tests.contracts.stores import OnPostgres
from tests.contracts.test_claims import again, decided, the_job


@pytest.fixture
def store(engine: Engine) -> Iterator[OnPostgres]:
    opened = OnPostgres(engine)
    yield opened
    opened.close()


def ended(store: OnPostgres, table: str) -> list[bool]:
    return [row[0] for row in store.rows(f"SELECT ended_at IS NOT NULL FROM {table} ORDER BY 1")]


def test_a_decided_job_has_an_end_and_one_that_waits_again_has_none(
    store: OnPostgres, units: UnitsOfWork, source: Source
) -> None:
    job = the_job(store, units, source)
    assert finish(units, decided(job, None, Retry(RetryCause.FAILURE, 1.0, Reason.other("busy")))) == 1
    assert ended(store, "jobs") == [False]
    assert finish(units, decided(again(store, units, 1.0))) == 1
    assert ended(store, "jobs") == [True]


def test_the_attempt_of_a_worker_that_died_has_an_end(store: OnPostgres, units: UnitsOfWork, source: Source) -> None:
    the_job(store, units, source)
    assert ended(store, "attempts") == [False]
    store.pass_time(LEASE * 2)
    assert sweep(units).died == 1
    assert ended(store, "attempts") == [True]


def test_postponing_a_job_ends_its_own_attempt_only(store: OnPostgres, units: UnitsOfWork) -> None:
    first, second = (claim_long_job(store, kind) for kind in (JobKind.TRAIN, JobKind.PURGE))
    with units() as unit:
        assert unit.claims.postpone(first.claim, "later", 60.0)
        unit.commit()
    outcomes = store.rows("SELECT job_id, CAST(outcome AS text) FROM attempts ORDER BY job_id")
    assert outcomes == [(first.job_id, "requeued"), (second.job_id, None)]

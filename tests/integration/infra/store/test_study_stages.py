"""The stages of a study in the record: each job once, the next stage with the end of the last one, whatever dies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from infra.store.jobs.workers import SqlWorkers
from pipeline.domain.claimed_job import ClaimedLongJob, LongJobResult
from pipeline.domain.job import AnnouncedWorker, FlowPolicy, Queue, Requested, RetryPolicy
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.source import Source
from pipeline.domain.study import Feasibility, SampleFacts, Stage, StudyPlan
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.dead_letters import replay
from pipeline.steps.studies import request_study
from tests.integration.records import add_source, begin_study

RETRY = RetryPolicy(attempt_limit=2, deaths_alone_limit=2, first_delay=0.0, longest_delay=0.0)
FACTS = SampleFacts("f", level=1, categories=2, listings=9, studied=9)


class StudyJobs:
    """A study in the database, and a worker that does its jobs."""

    def __init__(self, engine: Engine, units: UnitsOfWork, source: Source) -> None:
        self.engine = engine
        self.units = units
        with engine.begin() as connection:
            SqlWorkers(connection).announce(AnnouncedWorker("trainer", "train", Queue.TRAINING, slots=20))
        self.study = begin_study(engine, source.taxonomy_id, StudyPlan(seeds=(0, 1)))

    def take(self) -> list[ClaimedLongJob]:
        """Claim every job that waits."""
        with self.units() as unit:
            batches = unit.outbox.take_batches(Queue.TRAINING, FlowPolicy())
            unit.commit()
        with self.units() as unit:
            claimed = [unit.claims.claim_long_job(batch.job_ids[0], "trainer", 60.0) for batch in batches]
            unit.commit()
        return [job for job in claimed if job is not None]

    def end(self, job: ClaimedLongJob, error: str | None = None, *, permanent: bool = False) -> None:
        with self.units() as unit:
            unit.claims.end_long_job(job, LongJobResult(Reason.other(error or "done"), error, permanent), RETRY)
            unit.commit()

    def freeze(self, *extractors: str) -> None:
        with self.units() as unit:
            unit.studies.freeze(self.study, FACTS, dict.fromkeys(extractors, Modality.TEXT))
            unit.commit()

    def go_to_trials(self, *extractors: str) -> list[ClaimedLongJob]:
        self.freeze(*extractors)
        (sample,) = self.take()
        self.end(sample)
        return self.take()

    def sweep(self) -> None:
        """Whoever holds a job has died."""
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE jobs SET deadline = now() - interval '1 second' WHERE deadline < now() + interval '1 day'")
            )
        with self.units() as unit:
            unit.outbox.sweep(RETRY)
            unit.commit()

    def row(self) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text("SELECT * FROM studies WHERE id = :id"), {"id": self.study}).one()


@pytest.fixture
def jobs(engine: Engine, units: UnitsOfWork, source: Source) -> StudyJobs:
    return StudyJobs(engine, units, source)


def stages(runs: list[ClaimedLongJob]) -> list[tuple[str, str | None]]:
    return sorted((run.payload["stage"], run.payload.get("name")) for run in runs)


def test_the_stages_follow_each_other_and_the_study_is_concluded(jobs: StudyJobs) -> None:
    trials = jobs.go_to_trials("tfidf", "word2vec")
    assert stages(trials) == [("trial", "tfidf"), ("trial", "word2vec")]
    jobs.end(trials[0])
    assert jobs.take() == []
    jobs.end(trials[1])
    (combine,) = jobs.take()
    assert combine.payload == {"study_id": jobs.study, "stage": "combine"}
    with jobs.units() as unit:
        unit.studies.add_to_agenda(jobs.study, Stage.SUPERVISED, ["tfidf", "fused"])
        unit.commit()
    jobs.end(combine)
    for run in jobs.take():
        assert run.payload["stage"] == "supervised"
        jobs.end(run)
    (conclude,) = jobs.take()
    assert conclude.payload["stage"] == "conclude"
    with jobs.units() as unit:
        unit.studies.conclude(
            jobs.study, Feasibility.PROMISING, {Modality.TEXT: 0.5, Modality.IMAGE: None, Modality.FUSED: None}
        )
        unit.commit()
    jobs.end(conclude)
    assert jobs.take() == []
    row = jobs.row()
    assert (row.status, row.verdict, row.best["text"], row.error) == ("done", "promising", 0.5, None)


def test_a_stage_that_has_nothing_to_do_is_passed_over(jobs: StudyJobs) -> None:
    for run in jobs.go_to_trials("tfidf"):
        jobs.end(run)
    (combine,) = jobs.take()
    jobs.end(combine)
    assert stages(jobs.take()) == [("conclude", None)]


def test_jobs_that_end_at_the_same_moment_begin_the_next_stage_once(jobs: StudyJobs) -> None:
    trials = jobs.go_to_trials(*(f"e{n}" for n in range(8)))
    barrier = threading.Barrier(len(trials))

    def end(run: ClaimedLongJob) -> None:
        barrier.wait()
        jobs.end(run)

    with ThreadPoolExecutor(len(trials)) as pool:
        list(pool.map(end, trials))
    assert stages(jobs.take()) == [("combine", None)]


def test_a_job_in_the_dead_letters_lets_the_study_go_on(jobs: StudyJobs) -> None:
    first, second = jobs.go_to_trials("tfidf", "word2vec")
    jobs.end(first, "it cannot be", permanent=True)
    jobs.end(second)
    (advance,) = jobs.take()
    assert advance.payload == {
        "study_id": jobs.study,
        "stage": "advance",
        "of": "trial",
        "name": first.payload["name"],
        "reason": "it cannot be",
    }
    jobs.end(advance)
    assert stages(jobs.take()) == [("combine", None)]


def test_a_worker_that_dies_too_often_lets_the_study_go_on(jobs: StudyJobs) -> None:
    jobs.go_to_trials("tfidf")
    jobs.sweep()
    assert stages(jobs.take()) == [("trial", "tfidf")]
    jobs.sweep()
    (advance,) = jobs.take()
    assert (advance.payload["stage"], advance.payload["of"]) == ("advance", "trial")
    assert "died 2 times" in advance.payload["reason"]
    jobs.end(advance)
    assert stages(jobs.take()) == [("combine", None)]


def test_a_study_that_cannot_even_go_on_has_failed(jobs: StudyJobs) -> None:
    for run in jobs.go_to_trials("tfidf"):
        jobs.end(run, "first", permanent=True)
    (advance,) = jobs.take()
    jobs.end(advance, "the storage is gone for good", permanent=True)
    assert (jobs.row().status, jobs.row().error) == ("failed", "the storage is gone for good")
    assert jobs.take() == []


def test_a_replayed_trial_neither_doubles_nor_stops_what_follows(jobs: StudyJobs) -> None:
    first, second = jobs.go_to_trials("tfidf", "word2vec")
    jobs.end(first, "it cannot be", permanent=True)
    jobs.end(second)
    (advance,) = jobs.take()
    jobs.end(advance)
    (combine,) = jobs.take()
    assert replay(jobs.units) == 1
    (again,) = jobs.take()
    jobs.end(combine)
    assert jobs.take() == []
    jobs.end(again)
    assert stages(jobs.take()) == [("conclude", None)]


def test_who_lost_the_lease_begins_no_stage(jobs: StudyJobs) -> None:
    (trial,) = jobs.go_to_trials("tfidf")
    jobs.sweep()
    jobs.end(trial)
    assert stages(jobs.take()) == [("trial", "tfidf")]


def test_one_study_of_a_taxonomy_runs_at_a_time(jobs: StudyJobs, engine: Engine, source: Source) -> None:
    def ask(_: int) -> Requested:
        return request_study(jobs.units, other.taxonomy_id, StudyPlan(), "Ada")

    other = add_source(engine, "other shop")
    assert request_study(jobs.units, source.taxonomy_id, StudyPlan(), "Ada") == Requested(jobs.study, is_new=False)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert len({answer.id for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1

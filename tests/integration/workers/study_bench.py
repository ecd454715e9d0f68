"""The workers' bench for studies: it does their jobs, with quick steps in place of the mathematics."""

from __future__ import annotations

import json
from typing import Any

from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.job import Priority, Queue
from pipeline.domain.listing import Content, Submission
from pipeline.domain.study import StudyPlan, study_key
from pipeline.steps.intake import accept
from pipeline.steps.studies import request_study
from tests.integration.workers.conftest import Bench
from tests.unit.pipeline.study.fake_steps import FakeStudySteps
from workers.bootstrap import WorkerContext
from workers.long_job_runner import progress_reporter, run_long_job
from workers.study_jobs import run_job

PLAN = StudyPlan(extractors=("tfidf", "bag_of_words", "fisher"), seeds=(0,))


class StudyBench:
    """Begins studies on the workers' bench and does their jobs."""

    def __init__(self, bench: Bench, steps: FakeStudySteps) -> None:
        self.bench = bench
        self.steps = steps

    def stock(self, count: int = 24, categories: tuple[str, ...] = ("Kitchen >> Mugs", "Fashion >> Watches")) -> None:
        photo = self.bench.context.photos.store(b"a photo").storage_key
        submissions = [
            Submission(
                f"s{n}",
                Content(
                    name=f"thing number {n}",
                    seller_category=categories[n % len(categories)],
                    images=(photo,) if n % 3 else (),
                ),
            )
            for n in range(count)
        ]
        accept(self.bench.context.units, self.bench.source.id, submissions, Priority.PIPELINE)
        self.bench.run(
            f"UPDATE images SET status = 'stored', storage_key = '{photo}'; "
            "UPDATE jobs SET state = 'done', ended_at = now() WHERE kind = 'categorise'"
        )

    def begin(self, plan: StudyPlan = PLAN) -> int:
        requested = request_study(self.bench.context.units, self.bench.source.taxonomy_id, plan, "a test")
        assert requested.is_new
        return requested.id

    def body(self, context: WorkerContext, run: ClaimedLongJob) -> str:
        return run_job(context, run, progress_reporter(context, run), self.steps)

    def step(self) -> int:
        """Do every job that waits now; returns how many."""
        self.bench.ready()
        batches = self.bench.take(Queue.TRAINING)
        for batch in batches:
            run_long_job(self.bench.context, self.bench.child.categorise_context.worker, batch.job_ids[0], self.body)
        return len(batches)

    def work(self) -> None:
        while self.step():
            pass

    def study(self, study_id: int) -> Any:
        (row,) = self.bench.rows(f"SELECT status, stage, verdict, error FROM studies WHERE id = {study_id}")
        return row

    def trials(self) -> dict[str, tuple[str, str | None]]:
        rows = self.bench.rows("SELECT extractor || ' ' || protocol, status, reason FROM trials ORDER BY 1")
        return {name: (status, reason) for name, status, reason in rows}

    def report(self, study_id: int) -> Any:
        return json.loads(self.bench.context.storage.get(study_key(study_id, "report.json")))

    def go_to(self, stage: str) -> None:
        """Work until the study has come to a stage."""
        while self.bench.value("SELECT stage FROM studies") != stage:
            assert self.step()

    def die(self) -> None:
        """Workers claim what waits, and are never heard of again."""
        self.bench.ready()
        for batch in self.bench.take(Queue.TRAINING):
            with self.bench.context.units() as unit:
                unit.claims.claim_long_job(batch.job_ids[0], "a dying worker", 30)
                unit.commit()
        self.bench.expire()
        self.bench.sweep()

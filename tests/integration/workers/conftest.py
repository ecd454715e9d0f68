"""A context on real Postgres and a real folder, a tiny real model, and a worker that works when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from infra.settings import read_settings
from infra.store.jobs.workers import SqlWorkers
from pipeline.domain.job import AnnouncedWorker, Batch, Priority, Queue
from pipeline.domain.listing import Content, Evidence, Example, Submission
from pipeline.domain.progress import no_progress
from pipeline.domain.source import Source
from pipeline.domain.training import TrainingOptions
from pipeline.domain.verdict import Receipt
from pipeline.steps.intake import accept
from pipeline.steps.train import TrainedVersion, TrainingPlan, train_version
from tests.integration.records import add_model, add_source
from workers.bootstrap import WorkerContext, build
from workers.relay import Relay
from workers.worker import WorkerChild, categorise_jobs, open_child

KINDS = {
    "Kitchen >> Mugs": ("ceramic mug", "stoneware cup", "tea mug with handle", "coffee mug microwave safe"),
    "Fashion >> Watches": ("analog watch", "steel strap wrist watch", "chronograph dial", "leather strap watch"),
}


@dataclass
class Bench:
    """What tests need to take listings from intake to a decision."""

    context: WorkerContext
    source: Source
    child: WorkerChild
    version: TrainedVersion

    def post(self, *names: str, priority: Priority = Priority.PIPELINE, **content: Any) -> list[Receipt]:
        submissions = [Submission(name, Content(name=f"ceramic mug {name}", **content)) for name in names]
        return accept(self.context.units, self.source.id, submissions, priority)

    def work(self, batch: Batch | list[int]) -> None:
        categorise_jobs(self.child, batch.job_ids if isinstance(batch, Batch) else batch)

    def relay(self, publish: Callable[[Batch], None], **changes: Any) -> Relay:
        settings = self.context.settings.model_copy(update=changes)
        return Relay(
            self.context.engine,
            self.context.units,
            publish,
            settings.retry_policy(),
            settings.flow_policy(),
            interval=0.05,
        )

    def take(self, queue: Queue = Queue.CATEGORISE) -> list[Batch]:
        with self.context.units() as unit:
            batches = unit.outbox.take_batches(queue, self.context.settings.flow_policy())
            unit.commit()
        return batches

    def sweep(self) -> None:
        self.relay(lambda _batch: None).sweep()

    def expire(self) -> None:
        self.run("UPDATE jobs SET deadline = now() - interval '1 second' WHERE deadline IS NOT NULL")

    def ready(self) -> None:
        self.run("UPDATE jobs SET not_before = now() WHERE state = 'waiting'")

    def run(self, statement: str) -> None:
        with self.context.engine.begin() as connection:
            connection.execute(text(statement))

    def rows(self, statement: str) -> list[Any]:
        with self.context.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def value(self, statement: str) -> Any:
        return self.rows(statement)[0][0]

    def states(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT state FROM jobs ORDER BY id")]

    def add_model(self, *, promote: bool = True) -> int:
        artefacts = f"test-{self.value('SELECT count(*) FROM model_versions')}"
        digests = self.context.registry.save(artefacts, self.version.model.files())
        manifest = {**self.version.manifest, "files": dict(digests), "artefacts": artefacts}
        return add_model(self.context.engine, self.source.taxonomy_id, manifest, promote=promote)


@pytest.fixture(scope="session")
def tiny_version() -> TrainedVersion:
    """A real model of two categories, from text alone."""
    examples = [
        Example(f"{category}-{n}", Evidence(name=f"{words[n % len(words)]} number {n}"), category)
        for category, words in KINDS.items()
        for n in range(24)
    ]
    return train_version(examples, TrainingPlan("tests", TrainingOptions(level=2)), Path, no_progress)


@pytest.fixture
def bench(database_url: str, tmp_path: Path, tiny_version: TrainedVersion) -> Iterator[Bench]:
    settings = read_settings(
        {
            "DATABASE_URL": database_url,
            "RAYON_HOME": str(tmp_path),
            "SECRET_KEY": "a secret of this test",
            "RAYON_LEASE": "30",
            "RAYON_ATTEMPT_LIMIT": "3",
            "RAYON_BATCH_LIMIT": "4",
            # The workers of a bench announce themselves once, and live as long as its test.
            "RAYON_WORKER_TIMEOUT": "3600",
        }
    )
    context = build(settings)
    source = add_source(context.engine, "tests")
    with context.engine.begin() as connection:
        for queue in Queue:
            SqlWorkers(connection).announce(AnnouncedWorker(f"worker-{queue}", "serve", queue, slots=2))
    child = open_child(settings, "worker-categorise")
    yield Bench(context, source, child, tiny_version)
    child.context.engine.dispose()
    context.engine.dispose()

"""A small shop behind real pages: uvicorn on a real database, with sample listings that were decided."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from api.app import create_app
from api.context import ApiContext
from infra.photos.photo_fetcher import PhotoFetcher
from infra.safe_fetch.addresses import FetchPolicy
from infra.sample.generator import SampleListing, categories, generate
from infra.settings import Settings
from infra.store.jobs.workers import SqlWorkers
from pipeline.domain.api_key import KeyRequest
from pipeline.domain.claimed_job import AttemptResult, ClaimedJob, ImageResult
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.job import AnnouncedWorker, Priority, Queue
from pipeline.domain.listing import Content, ImageStatus, Submission
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.intake import accept
from pipeline.steps.keys import create_key
from tests.integration.records import add_model, add_source

SECONDS = {"decode": 0.004, "text": 0.011, "image": 0.142, "fuse": 0.002}
METRICS = {
    "text": {"n": 400, "accuracy": 0.951},
    "image": {"n": 380, "accuracy": 0.874},
    "fused": {"n": 400, "accuracy": 0.972, "coverage": 0.91, "precision": 0.985},
}


@dataclass(frozen=True)
class Shop:
    """A running shop: its address, the secrets of its keys, and its context."""

    address: str
    admin: str
    reader: str
    reader_id: int
    context: ApiContext

    def stock(self, samples: Sequence[SampleListing]) -> None:
        """Post samples with their photos, then decide all but the newest three."""
        submissions = []
        for sample in samples:
            jpeg = sample.jpeg()
            key = f"uploads/1/{sample.external_id}.jpg"
            if jpeg:
                self.context.storage.put(key, jpeg, "image/jpeg")
            content = Content(
                sample.name, sample.description, sample.attributes, (key,) if jpeg else (), sample.category
            )
            submissions.append(Submission(sample.external_id, content))
        source = add_source(self.context.engine, "marketplace")
        with self.context.engine.begin() as connection:
            SqlWorkers(connection).announce(AnnouncedWorker("bench", "serve", Queue.CATEGORISE, slots=64))
            SqlWorkers(connection).announce(AnnouncedWorker("bench-interactive", "serve", Queue.INTERACTIVE, slots=4))
        accept(self.context.units, source.id, submissions[:-3], Priority.PIPELINE)
        while self.work(Queue.CATEGORISE):
            pass
        accept(self.context.units, source.id, submissions[-3:], Priority.PIPELINE)

    def add_model(self) -> int:
        """Add an active model version with figures."""
        taxonomy_id = add_source(self.context.engine, "marketplace").taxonomy_id
        manifest = {"artefacts": "bench", "files": {}, **METRICS, "listings": 400}
        return add_model(self.context.engine, taxonomy_id, manifest)

    def work(self, queue: Queue) -> int:
        """Claim and decide the waiting jobs of a queue, as a worker would; returns how many."""
        with self.context.units() as unit:
            batches = unit.outbox.take_batches(queue, self.context.settings.flow_policy())
            unit.commit()
        decided = 0
        for batch in batches:
            with self.context.units() as unit:
                claimed = unit.claims.claim(batch.job_ids, "bench", 30.0)
                unit.commit()
            with self.context.units() as unit:
                decided += unit.claims.finish(
                    [self._decide(job) for job in claimed], self.context.settings.retry_policy()
                )
                unit.commit()
        return decided

    @contextmanager
    def working(self) -> Iterator[None]:
        """A worker in a thread that decides interactive listings until the block ends."""
        ended = threading.Event()

        def serve() -> None:
            while not ended.wait(0.05):
                self.work(Queue.INTERACTIVE)

        worker = threading.Thread(target=serve)
        worker.start()
        try:
            yield
        finally:
            ended.set()
            worker.join()

    def _decide(self, job: ClaimedJob) -> AttemptResult:
        photos = PhotoFetcher(self.context.storage, FetchPolicy(), 20_000_000)
        images = tuple(
            ImageResult(i.image_id, ImageStatus.STORED, photos.fetch(i.reference).storage_key) for i in job.images
        )
        known = categories()
        right = job.content.seller_category or known[0]
        others = [c for c in known if c != right]
        sure = (0.994, 0.981, 0.957, 0.62, 0.973, 0.91, 0.88, 0.34)[job.job_id % 8]
        nearest = others[job.job_id % len(others)]
        predictions = tuple(
            Prediction(m, (Ranked(right, p), Ranked(nearest, (1 - p) * 0.7), Ranked(others[-1], (1 - p) * 0.2)))
            for m, p in ((Modality.TEXT, sure * 0.97), (Modality.IMAGE, sure * 0.85), (Modality.FUSED, sure))
            if m is not Modality.IMAGE or images
        )
        enough = sure >= 0.7
        status = DecisionStatus.ASSIGNED if enough else DecisionStatus.NEEDS_REVIEW
        code = ReasonCode.ASSIGNED if enough else ReasonCode.BELOW_THRESHOLD
        reason = Reason.of(code, confidence=sure, threshold=0.7)
        if not images:
            reason = reason.with_further(
                Reason.of(ReasonCode.TEXT_ONLY, problem=Reason(ReasonCode.LISTING_WITHOUT_PHOTO))
            )
        decision = Decision(status, right, sure, reason)
        return AttemptResult(job, decision, predictions, images=images, seconds={"fetch": 0.018, **SECONDS})


@contextmanager
def open_shop(database_url: str, folder: Path, listings: int = 40) -> Iterator[Shop]:
    """Serve the pages on a free port; ``listings`` of the sample are stocked, none leaves the shop empty."""
    settings = Settings(database_url=database_url, home=folder, secret_key="of this test", upload_limit=200_000)
    app = create_app(settings)
    context: ApiContext = app.state.context
    admin = create_key(context.units, KeyRequest.of("Ada, back office", ["admin"]))
    reader = create_key(context.units, KeyRequest.of("reader", ["read"]))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    started = threading.Event()
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined,unused-ignore]
    startup = server.startup

    async def announced(sockets: list[object] | None = None) -> None:
        await startup(sockets)  # type: ignore[arg-type]
        started.set()

    server.startup = announced  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(30)
        port = server.servers[0].sockets[0].getsockname()[1]
        shop = Shop(f"http://127.0.0.1:{port}", admin.secret, reader.secret, reader.key.id, context)
        if listings:
            shop.add_model()
            shop.stock(list(generate(listings)))
        yield shop
    finally:
        server.should_exit = True
        thread.join()

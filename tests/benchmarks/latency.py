"""From POST to decision on an idle stack, beside the computation, a bare trip through Redis, and the bare writes."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

import httpx
import redis
from sqlalchemy import text

from infra.embedded.home import Home
from infra.sample.generator import fresh_listings
from infra.store.database import open_engine
from infra.store.sources import find_source
from infra.store.unit_of_work import units_of_work
from pipeline.domain.claimed_job import AttemptResult
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.job import Priority, RetryPolicy
from pipeline.domain.listing import Content, Submission
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.steps.intake import accept
from tests.faults.stack import RunningStack

ROUNDS = 40
WARM_UP = 5
COMPUTING = ("decode", "text", "image", "fuse")


def latency(stack: RunningStack) -> dict[str, Any]:
    """Medians in milliseconds; the bar: what is neither computed nor fetched takes at most twice the bare trip."""
    posted, computed = _post(stack)
    trip = _bare_trip(Home(stack.folder).environment()["BROKER_URL"])
    writes = _bare_writes(stack)
    overhead = posted - computed
    return {
        "post_to_decision_ms": round(posted, 2),
        "computation_ms": round(computed, 2),
        "overhead_ms": round(overhead, 2),
        "bare_redis_trip_ms": round(trip, 2),
        "bare_database_writes_ms": round(writes, 2),
        "overhead_to_bare": round(overhead / (trip + writes), 2),
        "bar": 2.0,
    }


def _post(stack: RunningStack) -> tuple[float, float]:
    headers = {"Authorization": f"Bearer {stack.key}", "Prefer": "wait=20"}
    texts = fresh_listings(ROUNDS + WARM_UP, seed=11)
    spent: list[float] = []
    with httpx.Client(base_url=stack.address, headers=headers, timeout=30) as client:
        for number, listing in enumerate(texts):
            body = {
                "source": "bench",
                "external_id": f"latency-{number}",
                "name": listing.name or "nameless",
                "description": listing.description,
            }
            started = time.perf_counter()
            answer = client.post("/v1/listings", json=body)
            spent.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 200, answer.text
    with stack.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT a.seconds FROM attempts a JOIN jobs j ON j.id = a.job_id "
                "JOIN listings l ON l.id = j.listing_id "
                "WHERE l.external_id LIKE 'latency-%' AND a.outcome = 'done' ORDER BY l.id"
            )
        ).all()
    computed = [1000 * sum(row.seconds.get(stage, 0.0) for stage in COMPUTING) for row in rows]
    return statistics.median(spent[WARM_UP:]), statistics.median(computed[WARM_UP:])


def _bare_trip(broker_url: str) -> float:
    """Half a round trip through two Redis lists: one enqueue and one dequeue."""
    ask, reply = "bench:ask", "bench:reply"
    ended = threading.Event()

    def echo() -> None:
        with redis.Redis.from_url(broker_url) as client:
            while not ended.is_set():
                if client.brpop([ask], timeout=1):
                    client.lpush(reply, b"x")

    thread = threading.Thread(target=echo)
    thread.start()
    spent = []
    with redis.Redis.from_url(broker_url) as client:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            client.lpush(ask, b"x" * 400)
            client.brpop([reply], timeout=5)
            spent.append((time.perf_counter() - started) * 500)
    ended.set()
    thread.join()
    return statistics.median(spent)


def _bare_writes(stack: RunningStack) -> float:
    """The rows of a listing, written in the same four transactions by one process that does nothing else."""
    engine = open_engine(Home(stack.folder).environment()["DATABASE_URL"])
    units = units_of_work(engine)
    with engine.connect() as connection:
        source = find_source(connection, "bench")
    assert source is not None
    decision = Decision(DecisionStatus.NEEDS_REVIEW, "bench", 0.5, Reason.other("measured"))
    predictions = tuple(Prediction(m, (Ranked("bench", 0.5),)) for m in (Modality.TEXT, Modality.FUSED))
    spent = []
    for number in range(ROUNDS):
        started = time.perf_counter()
        submission = Submission(f"bare-{number}", Content(name="a bare write", description="of a listing" * 20))
        (receipt,) = accept(units, source.id, [submission], Priority.BACKFILL)
        with engine.begin() as connection:
            job_id = connection.execute(
                text(
                    "UPDATE jobs SET state = 'sent', deadline = now() + interval '1 minute' "
                    "WHERE revision_id = :revision RETURNING id"
                ),
                {"revision": receipt.revision_id},
            ).scalar_one()
        with units() as unit:
            claimed = unit.claims.claim([job_id], "bench", 60)
            unit.commit()
        with units() as unit:
            results = [AttemptResult(job, decision, predictions) for job in claimed]
            unit.claims.finish(results, RetryPolicy())
            unit.commit()
        spent.append((time.perf_counter() - started) * 1000)
    engine.dispose()
    return statistics.median(spent)

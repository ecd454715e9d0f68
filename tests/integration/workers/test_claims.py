"""Claims and fences, failures, revisions and models on the way to a decision; and idempotency races."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.photos.photo_fetcher import PhotoFetcher
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.claimed_job import Claim
from pipeline.domain.errors import Conflict, StorageUnavailable
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.ports.repositories import IdempotencyKey
from pipeline.ports.services import StoredPhoto
from pipeline.steps.categorise import categorise
from pipeline.steps.dead_letters import replay
from pipeline.steps.intake import accept, withdraw
from pipeline.steps.models import promote, roll_back
from tests.integration.workers.conftest import Bench

DECISIONS = "SELECT status, category, provisional FROM decisions ORDER BY id"


def claim(bench: Bench, ids: tuple[int, ...], worker: str = "somebody") -> list[Any]:
    with bench.context.units() as unit:
        claimed = unit.claims.claim(ids, worker, 30)
        unit.commit()
    return claimed


def test_claim_races(bench: Bench) -> None:
    bench.post(*"abcd")
    (batch,) = bench.take()
    barrier = threading.Barrier(4)

    def race(worker: int) -> int:
        barrier.wait()
        return len(claim(bench, batch.job_ids, f"w{worker}"))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(race, range(4))) == [0, 0, 0, 4]
    assert bench.value("SELECT count(*) FROM attempts") == 4


def test_a_message_delivered_twice_is_worked_on_once(bench: Bench) -> None:
    bench.add_model()
    bench.post("a")
    (batch,) = bench.take()
    bench.work(batch)
    bench.work(batch)
    assert bench.value("SELECT count(*) FROM decisions") == 1
    assert bench.rows("SELECT attempt, outcome FROM attempts") == [(1, "done")]


def test_finish_after_the_lease(bench: Bench) -> None:
    bench.add_model()
    bench.post("a")
    (batch,) = bench.take()
    late = claim(bench, batch.job_ids, "late")
    bench.expire()
    bench.sweep()
    (again,) = bench.take()
    bench.work(again)
    assert categorise(bench.child.categorise_context, late) == 0
    assert bench.value("SELECT count(*) FROM decisions") == 1
    assert bench.value("SELECT count(*) FROM predictions WHERE modality = 'fused'") == 1
    assert bench.rows("SELECT attempt, outcome FROM attempts ORDER BY attempt") == [(1, "fenced"), (2, "done")]


def test_newer_revision_in_flight(bench: Bench) -> None:
    bench.add_model()
    (first,) = bench.post("a")
    (batch,) = bench.take()
    in_flight = claim(bench, batch.job_ids)
    changed = Submission("a", Content(name="steel strap wrist watch"))
    (second,) = accept(bench.context.units, bench.source.id, [changed], Priority.PIPELINE)
    assert second.number == first.number + 1
    assert categorise(bench.child.categorise_context, in_flight) == 0
    assert bench.states() == ["superseded", "waiting"]
    (newer,) = bench.take()
    bench.work(newer)
    assert bench.rows("SELECT revision_id, category FROM decisions") == [(second.revision_id, "Fashion >> Watches")]
    assert bench.rows("SELECT status::text <> 'pending', category FROM listings") == [(True, "Fashion >> Watches")]


def test_deleting_a_listing_cancels_its_jobs(bench: Bench) -> None:
    bench.add_model()
    (receipt,) = bench.post("a")
    (batch,) = bench.take()
    in_flight = claim(bench, batch.job_ids)
    assert withdraw(bench.context.units, receipt.listing_id)
    assert categorise(bench.child.categorise_context, in_flight) == 0
    assert bench.states() == ["superseded"]
    assert bench.rows("SELECT status, category FROM listings") == [("withdrawn", None)]
    assert not withdraw(bench.context.units, receipt.listing_id)


def test_promotion_in_flight(bench: Bench) -> None:
    old = bench.add_model()
    bench.post("a")
    (batch,) = bench.take()
    in_flight = claim(bench, batch.job_ids)
    new = bench.add_model()
    assert categorise(bench.child.categorise_context, in_flight) == 1
    assert bench.states() == ["waiting"]
    assert bench.value(f"SELECT count(*) FROM predictions WHERE model_id = {old}") >= 1
    assert bench.value("SELECT count(*) FROM decisions") == 0
    bench.ready()
    (again,) = bench.take()
    bench.work(again)
    assert bench.rows("SELECT model_id FROM decisions") == [(new,)]
    assert bench.value("SELECT failures FROM jobs") == 0


def test_without_a_model_listings_abstain_and_the_first_promotion_requeues_them(bench: Bench) -> None:
    bench.post("a", "b", priority=Priority.IMPORT)
    (batch,) = bench.take()
    bench.work(batch)
    assert bench.rows("SELECT status, reason FROM decisions") == [("abstained", "no model yet")] * 2
    model = bench.add_model(promote=False)
    assert promote(bench.context.units, model) == 2
    assert bench.rows("SELECT DISTINCT priority FROM jobs WHERE state = 'waiting'") == [("import",)]
    (batch,) = bench.take()
    bench.work(batch)
    assert bench.value(f"SELECT count(*) FROM decisions WHERE model_id = {model} AND status <> 'abstained'") == 2


def test_rollback_shows_the_former_decisions_without_computing(bench: Bench) -> None:
    first = bench.add_model()
    bench.post("a")
    bench.work(bench.take()[0])
    second = bench.add_model()
    bench.work(bench.take()[0])
    assert bench.rows("SELECT model_id FROM decisions ORDER BY id") == [(first,), (second,)]
    assert roll_back(bench.context.units, bench.source.taxonomy_id) == first
    assert bench.take() == []
    assert bench.rows("SELECT id, status FROM model_versions ORDER BY id") == [(first, "active"), (second, "retired")]


def test_poison_in_a_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add_model()
    real = TrainedModel.answer

    def answer(self: TrainedModel, listings: Any, retired: frozenset[str]) -> Any:
        opened = list(listings)
        if any("poison" in each.evidence.name for each in opened):
            raise RuntimeError("this listing breaks the model")
        return real(self, opened, retired)

    monkeypatch.setattr(TrainedModel, "answer", answer)
    bench.post("a", "poison", "b")
    bench.work(bench.take()[0])
    assert sorted(bench.states()) == ["done", "done", "waiting"]
    for _ in range(2):
        bench.ready()
        bench.work(bench.take()[0])
    assert sorted(bench.states()) == ["dead", "done", "done"]
    ((reason, trace, history),) = bench.rows("SELECT reason, traceback, history FROM dead_letters")
    assert "this listing breaks the model" in reason
    assert "Traceback" in trace
    assert [h["attempt"] for h in history] == [1, 2, 3]


def test_deaths_that_are_not_poison(bench: Bench) -> None:
    bench.add_model()
    bench.post(*"abcd")
    for _ in range(5):
        for batch in bench.take():
            claim(bench, batch.job_ids)
        # Every time the process dies in company; then each travels alone and is finished.
        bench.run("UPDATE jobs SET alone = false")
        bench.expire()
        bench.sweep()
    assert bench.value("SELECT max(deaths_alone) FROM jobs") == 0
    batches = bench.take()
    assert [len(b.job_ids) for b in batches] == [1, 1, 1, 1]
    for batch in batches:
        bench.work(batch)
    assert bench.states() == ["done"] * 4
    assert bench.value("SELECT count(*) FROM dead_letters") == 0


def test_three_deaths_alone_make_a_dead_letter_and_replay_revives_it(bench: Bench) -> None:
    bench.add_model()
    bench.post("a", "b")
    for _ in range(4):
        for batch in bench.take():
            claim(bench, batch.job_ids)
        bench.expire()
        bench.sweep()
    assert bench.states() == ["dead", "dead"]
    assert replay(bench.context.units, reason_contains="no such reason") == 0
    ((letter,),) = bench.rows("SELECT min(id) FROM dead_letters")
    assert replay(bench.context.units, [letter]) == 1
    assert replay(bench.context.units) == 1
    for batch in bench.take():
        bench.work(batch)
    assert bench.states() == ["done", "done"]
    assert bench.value("SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL") == 0


def test_a_heartbeat_never_outlives_the_hard_limit(bench: Bench) -> None:
    bench.post("a")
    (batch,) = bench.take()
    (job,) = claim(bench, batch.job_ids)
    with bench.context.units() as unit:
        unit.claims.renew([job.claim], 1000, 60)
        unit.commit()
    assert bench.value("SELECT deadline - leased_at <= interval '60 seconds' FROM jobs")
    with bench.context.units() as unit:
        unit.claims.renew([Claim(job.job_id, job.attempt + 1)], 1, 60)
        unit.commit()
    assert bench.value("SELECT deadline - leased_at > interval '50 seconds' FROM jobs")


def test_storage_down_gives_a_provisional_answer_that_the_final_one_replaces(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add_model()
    bench.post("a", images=("images/" + "0" * 64,))

    def down(_photos: object, _reference: str, **_options: object) -> StoredPhoto:
        raise StorageUnavailable("the storage does not answer")

    monkeypatch.setattr(PhotoFetcher, "fetch", down)
    bench.work(bench.take()[0])
    assert bench.states() == ["waiting"]
    ((_, category, provisional),) = bench.rows(DECISIONS)
    assert (category, provisional) == ("Kitchen >> Mugs", True)
    monkeypatch.undo()
    bench.ready()
    bench.work(bench.take()[0])
    assert bench.states() == ["done"]
    assert [row[2] for row in bench.rows(DECISIONS)] == [False]
    ((status, reason),) = bench.rows("SELECT status, reason FROM images")
    assert status == "unusable"
    assert "does not exist" in reason


def test_a_final_decision_is_never_replaced(bench: Bench) -> None:
    bench.add_model()
    bench.post("a")
    bench.work(bench.take()[0])
    before = bench.rows("SELECT id, created_at, reason FROM decisions")
    bench.run("UPDATE jobs SET state = 'waiting', ended_at = NULL")
    bench.work(bench.take()[0])
    assert bench.rows("SELECT id, created_at, reason FROM decisions") == before
    assert bench.value("SELECT count(*) FROM events WHERE kind = 'listing_decided'") == 1


def test_idempotency_races(bench: Bench) -> None:
    once = IdempotencyKey(bench_key(bench), "the key", "hash")
    barrier = threading.Barrier(6)

    def post(n: int) -> Any:
        barrier.wait()
        # Each would be another listing, were it not for the key.
        submission = Submission("same", Content(name=f"mug {n}"))
        return accept(bench.context.units, bench.source.id, [submission], Priority.PIPELINE, once)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(post, range(6)))
    assert len({tuple(a) for a in answers}) == 1
    assert bench.value("SELECT count(*) FROM revisions") == 1
    with pytest.raises(Conflict, match="another body"):
        accept(
            bench.context.units, bench.source.id, [], Priority.PIPELINE, IdempotencyKey(once.owner, once.key, "other")
        )


def bench_key(bench: Bench) -> int:
    bench.run("INSERT INTO api_keys (name, hash, scopes) VALUES ('test', 'x', ARRAY['submit'])")
    return int(bench.value("SELECT id FROM api_keys"))

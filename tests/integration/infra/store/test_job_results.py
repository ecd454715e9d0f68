"""The results of attempts in Postgres: what is written, and what the fence keeps out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipeline.domain.claimed_job import AttemptResult, ClaimedJob, ImageResult
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.job import Priority, Retry, RetryCause, RetryPolicy
from pipeline.domain.listing import Content, ImageStatus, Submission
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps import intake
from pipeline.steps.models import save_version

RETRY = RetryPolicy(attempt_limit=2)
SURE = Decision(DecisionStatus.ASSIGNED, "Home", 0.9, Reason.other("sure"))


def retry_after_failure(error: str) -> Retry:
    """A retry at once, after a failure that counts."""
    return Retry(RetryCause.FAILURE, 0.0, Reason.other(error))


@pytest.fixture
def model_id(units: UnitsOfWork, source: Source) -> int:
    """A promoted model version of the source's taxonomy."""
    return save_version(units, source.taxonomy_id, {"files": {}}, promote=True).model_id


def claim(engine: Engine, units: UnitsOfWork, source: Source) -> ClaimedJob:
    """Post a listing and take its job, as relay and worker do."""
    content = Content("Curtain", images=("uploads/1/a.jpg",))
    intake.accept(units, source.id, [Submission("a", content)], Priority.PIPELINE)
    return claim_again(engine, units)


def claim_again(engine: Engine, units: UnitsOfWork) -> ClaimedJob:
    with engine.begin() as connection:
        sent = "UPDATE jobs SET state = 'sent', deadline = now() + interval '1 minute' WHERE state = 'waiting'"
        ids = list(connection.scalars(text(f"{sent} RETURNING id")))
    with units() as unit:
        (job,) = unit.claims.claim(ids, "worker", 60)
        unit.commit()
    return job


def finish(units: UnitsOfWork, *results: AttemptResult) -> int:
    with units() as unit:
        written = unit.claims.finish(results, RETRY)
        unit.commit()
    return written


def rows(engine: Engine, query: str) -> Sequence[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def decided(job: ClaimedJob, decision: Decision = SURE) -> AttemptResult:
    prediction = Prediction(Modality.TEXT, (Ranked("Home", 0.9), Ranked("Garden", 0.1)))
    image = ImageResult(job.images[0].image_id, ImageStatus.STORED, storage_key="images/abc")
    return AttemptResult(job, decision, (prediction,), {"tfidf": [0.5, -1.0]}, (image,), {"text": 0.25})


def test_a_result_is_written_whole(engine: Engine, units: UnitsOfWork, source: Source, model_id: int) -> None:
    job = claim(engine, units, source)
    assert finish(units, decided(job)) == 1
    assert rows(engine, "SELECT state::text, deadline, ended_at IS NOT NULL FROM jobs") == [("done", None, True)]
    assert rows(engine, "SELECT status::text, category, confidence FROM listings") == [("assigned", "Home", 0.9)]
    assert rows(engine, "SELECT model_id, status::text, provisional FROM decisions") == [(model_id, "assigned", False)]
    assert rows(engine, "SELECT modality::text, ranked FROM predictions") == [
        ("text", [["Home", 0.9], ["Garden", 0.1]])
    ]
    assert rows(engine, "SELECT extractor, vector::text FROM embeddings") == [("tfidf", "[0.5,-1]")]
    assert rows(engine, "SELECT status::text, storage_key FROM images") == [("stored", "images/abc")]
    ended = rows(engine, "SELECT outcome::text, seconds, ended_at IS NOT NULL FROM attempts")
    assert ended == [("done", {"text": 0.25}, True)]
    assert rows(engine, "SELECT kind FROM events") == [("listing_decided",)]


@pytest.mark.usefixtures("model_id")
def test_finishing_twice_writes_once(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    job = claim(engine, units, source)
    assert finish(units, decided(job)) == 1
    assert finish(units, decided(job)) == 0
    assert rows(engine, "SELECT count(*) FROM decisions UNION ALL SELECT count(*) FROM events") == [(1,), (1,)]


@pytest.mark.parametrize("attempt", [0, 2])
@pytest.mark.usefixtures("model_id")
def test_another_attempt_is_fenced(engine: Engine, units: UnitsOfWork, source: Source, attempt: int) -> None:
    job = claim(engine, units, source)
    assert finish(units, decided(replace(job, attempt=attempt))) == 0
    assert rows(engine, "SELECT state::text FROM jobs") == [("leased",)]
    assert rows(engine, "SELECT count(*) FROM decisions UNION ALL SELECT count(*) FROM predictions") == [(0,), (0,)]


@pytest.mark.usefixtures("model_id")
def test_a_withdrawal_in_flight_keeps_the_answer_out(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    job = claim(engine, units, source)
    intake.withdraw(units, job.listing_id)
    assert finish(units, decided(job)) == 0
    assert rows(engine, "SELECT status::text, category FROM listings") == [("withdrawn", None)]
    assert rows(engine, "SELECT state::text FROM jobs") == [("superseded",)]


@pytest.mark.usefixtures("model_id")
def test_a_fenced_result_does_not_take_its_batch_along(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    first = claim(engine, units, source)
    intake.accept(units, source.id, [Submission("b", Content("Drape", images=("uploads/1/b",)))], Priority.PIPELINE)
    second = claim_again(engine, units)
    intake.withdraw(units, first.listing_id)
    assert finish(units, decided(first), decided(second)) == 1
    assert rows(engine, "SELECT revision_id FROM decisions") == [(second.revision_id,)]


@pytest.mark.usefixtures("model_id")
def test_a_provisional_decision_is_replaced_and_a_final_one_is_not(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    job = claim(engine, units, source)
    passing = replace(SURE, category="Garden", provisional=True)
    assert finish(units, replace(decided(job, passing), retry=retry_after_failure("storage down"))) == 1
    assert rows(engine, "SELECT state::text, failures, note FROM jobs") == [("waiting", 1, "storage down")]
    assert rows(engine, "SELECT category, provisional FROM decisions") == [("Garden", True)]
    assert finish(units, decided(claim_again(engine, units))) == 1
    assert rows(engine, "SELECT category, provisional FROM decisions") == [("Home", False)]
    assert rows(engine, "SELECT payload->>'provisional' FROM events ORDER BY id") == [("true",), ("false",)]


@pytest.mark.usefixtures("model_id")
def test_failures_up_to_the_limit_make_a_dead_letter_with_history(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    failed = AttemptResult(claim(engine, units, source), None, retry=retry_after_failure("boom one"))
    assert finish(units, failed) == 1
    assert rows(engine, "SELECT count(*) FROM dead_letters") == [(0,)]
    assert (
        finish(
            units,
            AttemptResult(claim_again(engine, units), None, retry=retry_after_failure("boom two")),
        )
        == 1
    )
    assert rows(engine, "SELECT state::text FROM jobs") == [("dead",)]
    ((reason, history),) = rows(engine, "SELECT reason, history FROM dead_letters")
    assert "boom two" in reason
    assert [(entry["attempt"], entry["error"]) for entry in history] == [(1, "boom one"), (2, "boom two")]


@pytest.mark.usefixtures("model_id")
def test_a_reviewed_listing_keeps_the_person_s_category(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    job = claim(engine, units, source)
    with units() as unit:
        unit.listings.review(job.listing_id, "Kitchen", "Ada", "")
        unit.commit()
    assert finish(units, decided(job)) == 1
    assert rows(engine, "SELECT category, reviewed FROM listings") == [("Kitchen", True)]
    assert rows(engine, "SELECT category FROM decisions") == [("Home",)]


def test_a_decision_without_a_model_is_kept_as_such(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    job = claim(engine, units, source)
    assert job.model is None
    none = Decision(DecisionStatus.ABSTAINED, None, None, Reason(ReasonCode.NO_MODEL))
    assert finish(units, AttemptResult(job, none)) == 1
    assert rows(engine, "SELECT model_id, status::text FROM decisions") == [(None, "abstained")]
    assert rows(engine, "SELECT status::text FROM listings") == [("abstained",)]


@pytest.mark.usefixtures("model_id")
def test_a_nul_in_an_error_text_does_not_lose_the_job(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    job = claim(engine, units, source)
    failed = AttemptResult(job, None, retry=retry_after_failure("decoder said \x00\x01"))
    assert finish(units, failed) == 1
    assert rows(engine, "SELECT state::text FROM jobs") == [("waiting",)]


@pytest.mark.usefixtures("model_id")
def test_a_final_decision_replaces_everything_of_a_provisional_one(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    shown = "SELECT status::text, category, confidence, coded_reason->>'code', provisional FROM decisions"
    without_photo, no_model = Reason(ReasonCode.LISTING_WITHOUT_PHOTO), Reason(ReasonCode.NO_MODEL)
    unsure = Decision(DecisionStatus.NEEDS_REVIEW, "Garden", 0.4, without_photo, provisional=True)
    first = replace(decided(claim(engine, units, source), unsure), retry=retry_after_failure("storage down"))
    assert finish(units, first) == 1
    assert rows(engine, shown) == [("needs_review", "Garden", 0.4, without_photo.code, True)]
    final = Decision(DecisionStatus.ASSIGNED, "Home", 0.9, no_model)
    assert finish(units, decided(claim_again(engine, units), final)) == 1
    assert rows(engine, shown) == [("assigned", "Home", 0.9, no_model.code, False)]
    assert rows(engine, "SELECT reason FROM decisions") == [(str(no_model),)]

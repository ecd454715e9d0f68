"""What a worker does to the record, without a model: claim what waits, decide it, finish."""

from __future__ import annotations

from sqlalchemy import Engine, text

from infra.store.taxonomies.queries import find_taxonomy
from infra.store.unit_of_work import SqlUnitOfWork
from pipeline.domain.claimed_job import AttemptResult, ImageResult
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.job import Retry, RetryCause, RetryPolicy
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from tests.integration.records import add_model

POLICY = RetryPolicy()


def give_model(engine: Engine, taxonomy: str) -> int:
    """An active model version of a taxonomy, without artefacts."""
    with engine.connect() as connection:
        taxonomy_id = find_taxonomy(connection, taxonomy).id
        number = connection.scalar(
            text("SELECT count(*) + 1 FROM model_versions WHERE taxonomy_id = :id"), {"id": taxonomy_id}
        )
    manifest = {"artefacts": f"{taxonomy}-{number}", "files": {}, "fused": {"accuracy": 0.9}}
    return add_model(engine, taxonomy_id, manifest)


def decide(
    engine: Engine,
    confidence: float = 0.9,
    status: DecisionStatus = DecisionStatus.ASSIGNED,
    category: str = "Home >> Curtains",
    images: tuple[ImageResult, ...] = (),
    external_id: str | None = None,
    *,
    provisional: bool = False,
    reason: Reason | None = None,
) -> int:
    """Decide the waiting jobs (of one listing, or all); returns how many results held."""
    with SqlUnitOfWork(engine) as unit:
        ids = list(
            unit.connection.scalars(
                text(
                    "UPDATE jobs j SET state = 'sent', deadline = now() + interval '1 minute' FROM listings l "
                    "WHERE l.id = j.listing_id AND j.state = 'waiting' AND (:one IS NULL OR l.external_id = :one) "
                    "RETURNING j.id"
                ),
                {"one": external_id},
            )
        )
        claimed = unit.claims.claim(ids, "tests", 60)
        unit.commit()
    prediction = Prediction(Modality.TEXT, (Ranked(category, confidence), Ranked("Home", 1 - confidence)))
    results = []
    for job in claimed:
        decision = Decision(status, category, confidence, reason or Reason.other("the words say so"), provisional)
        if job.model is None:
            decision = Decision(DecisionStatus.ABSTAINED, None, None, Reason(ReasonCode.NO_MODEL))
        stored = tuple(
            ImageResult(found.image_id, image.status, image.storage_key, image.reason)
            for found, image in zip(job.images, images, strict=False)
        )
        retry = Retry(RetryCause.FAILURE, 60.0, Reason.other("the storage does not answer")) if provisional else None
        results.append(
            AttemptResult(job, decision, (prediction,), images=stored, seconds={"fetch": 0.1, "text": 0.2}, retry=retry)
        )
    with SqlUnitOfWork(engine) as unit:
        written = unit.claims.finish(results, POLICY)
        unit.commit()
        return written

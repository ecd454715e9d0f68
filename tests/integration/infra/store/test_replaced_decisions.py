"""What becomes of a provisional decision, and of the attempt of a worker that died."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from pipeline.domain.job import SweepCounts
from pipeline.domain.prediction import Decision, DecisionStatus
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.models import save_version
from tests.integration.infra.store.test_job_results import (
    RETRY,
    claim,
    claim_again,
    decided,
    finish,
    retry_after_failure,
    rows,
)


@pytest.fixture(autouse=True)
def model_id(units: UnitsOfWork, source: Source) -> int:
    """A promoted model version of the source's taxonomy."""
    return save_version(units, source.taxonomy_id, {"files": {}}, promote=True).model_id


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


def test_the_attempt_of_a_worker_that_died_has_ended(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    claim(engine, units, source)
    assert rows(engine, "SELECT outcome::text, ended_at FROM attempts") == [(None, None)]
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET deadline = now() - interval '1 second'"))
    with units() as unit:
        assert unit.outbox.sweep(RETRY) == SweepCounts(died=1)
        unit.commit()
    assert rows(engine, "SELECT outcome::text, ended_at IS NOT NULL FROM attempts") == [("died", True)]

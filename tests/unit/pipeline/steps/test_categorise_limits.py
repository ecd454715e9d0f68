"""Categorise at its limits: a listing without any photo, and a dead address under a low limit of attempts."""

from __future__ import annotations

from pipeline.domain.job import JobState, RetryPolicy
from pipeline.domain.reason import Reason
from tests.unit.pipeline.steps.test_categorise import HOST_DOWN, FakePhotos, Workshop


def test_a_listing_without_a_photo_is_decided_whatever_the_model_says_of_its_photo() -> None:
    workshop = Workshop()
    workshop.model.image_problem = Reason.other("there is no photo")
    workshop.post("1")
    workshop.work()
    job = workshop.job("1")
    decision = workshop.decision(job)
    assert decision is not None
    assert (job.state, decision.category, decision.provisional) == (JobState.DONE, "Home", False)
    assert workshop.images(job) == []


def test_a_dead_address_is_tried_again_as_long_as_the_limit_leaves_an_attempt() -> None:
    workshop = Workshop(retry=RetryPolicy(attempt_limit=2, first_delay=1.0), photos=FakePhotos({"a": HOST_DOWN}))
    workshop.post("1", "a")
    workshop.work()
    assert (workshop.job("1").state, workshop.job("1").failures) == (JobState.WAITING, 1)
    workshop.store.pass_time(1.0)
    workshop.work()
    assert workshop.job("1").state is JobState.DONE

"""Requests for trainings: their defaults, and how they travel with a job."""

from __future__ import annotations

from pipeline.domain.training import TrainingRequest


def test_a_request_of_an_older_job_has_the_defaults() -> None:
    request = TrainingRequest.of_json({})
    assert request == TrainingRequest()
    assert (request.level, request.image_extractors, request.choose) == (None, (), None)
    assert (request.views, request.seed) == (0, 0)
    assert (request.finetune, request.afresh, request.promote) == (False, False, False)


def test_a_request_is_read_back_as_it_was_written() -> None:
    request = TrainingRequest(2, ("fisher",), "best", views=3, finetune=True, seed=7, afresh=True, promote=True)
    assert TrainingRequest.of_json(request.as_json()) == request
    assert "image_extractors" not in TrainingRequest().as_json()


def test_the_options_are_those_of_the_request() -> None:
    request = TrainingRequest(level=2, views=3, finetune=True, seed=7)
    options = request.options(("sift",), precision_target=0.9, network_precision="int8")
    assert (options.level, options.augmented_views, options.fine_tune, options.seed) == (2, 3, True, 7)
    assert (options.image_extractors, options.precision_target, options.network_precision) == (("sift",), 0.9, "int8")

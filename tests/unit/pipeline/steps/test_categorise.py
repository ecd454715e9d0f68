"""Categorise: what a worker makes of claimed jobs when photos or models fail, seen on fakes of the ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import pytest

from pipeline.classification.trained_model import ModelAnswer, TrainedModel
from pipeline.domain.claimed_job import AttemptResult, ClaimedJob, ImageToFetch
from pipeline.domain.errors import (
    AddressUnavailable,
    BadArtefact,
    BadImage,
    NotOurTurn,
    RayonError,
    StorageUnavailable,
)
from pipeline.domain.job import Retry, RetryCause, RetryPolicy
from pipeline.domain.listing import Content, Evidence, ImageStatus
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.prediction import Decision, DecisionStatus
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.stored_object import Photo
from pipeline.ports.unit_of_work import UnitOfWork
from pipeline.steps.categorise import ADDRESS_FAILURES, PREFETCHED, CategoriseContext, categorise

MODEL = ActiveModel(1, "1/1", {})


class Photos:
    """Photos by reference: bytes, or the error their fetch raises."""

    def __init__(self, known: Mapping[str, bytes | RayonError]) -> None:
        self._known = known

    def fetch(self, reference: str, collected: bool = False) -> Photo:
        found = self._known[reference]
        if isinstance(found, RayonError):
            raise found
        return Photo(found, f"images/{reference}")


class Model:
    """Answers by name; refuses whole batches that contain a poisonous name."""

    def __init__(self) -> None:
        self.seen: list[Sequence[Evidence]] = []

    def open(self, evidence: Evidence) -> Evidence:
        return evidence

    def answer(self, listings: Iterable[Evidence]) -> list[ModelAnswer]:
        seen: list[Evidence] = []
        self.seen.append(seen)
        for evidence in listings:
            seen.append(evidence)
            if "poison" in evidence.name:
                raise RuntimeError("this name breaks the model")
        decision = Decision(DecisionStatus.ASSIGNED, "Home", 0.9, Reason.other("sure"))
        return [ModelAnswer(None, None, None, None, decision, {}, {"text": 0.01}) for _ in seen]


class Unit:
    """A unit of work that remembers what was finished, and whether it was committed."""

    def __init__(self) -> None:
        self.results: list[AttemptResult] = []
        self.committed = False
        self.claims = self

    def __enter__(self) -> Unit:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def finish(self, results: Sequence[AttemptResult], policy: RetryPolicy) -> int:
        self.results = list(results)
        return len(results)

    def commit(self) -> None:
        self.committed = True


def job(number: int, name: str = "Curtain", images: Sequence[str] = (), model: ActiveModel | None = MODEL,
        failures: int = 0) -> ClaimedJob:  # fmt: skip
    fetch = tuple(ImageToFetch(10 * number + i, reference, None) for i, reference in enumerate(images))
    return ClaimedJob(number, 1, failures, number, number, 1, Content(name, images=tuple(images)), fetch, model)


@pytest.fixture
def work() -> Callable[..., dict[int, AttemptResult]]:
    """Run the step; returns the results by job id, after seeing that they were committed."""

    def run(jobs: Sequence[ClaimedJob], known: Mapping[str, Any] | None = None, model: Model | None = None,
            loading: Exception | None = None, attempts: int = 8) -> dict[int, AttemptResult]:  # fmt: skip
        def load(version: ActiveModel) -> TrainedModel:
            if loading is not None:
                raise loading
            return cast(TrainedModel, model or Model())

        unit = Unit()
        context = CategoriseContext(
            lambda: cast(UnitOfWork, unit), Photos(known or {}), load, RetryPolicy(attempts), "worker", 20.0
        )
        assert categorise(context, jobs) == len(jobs)
        assert unit.committed
        return {result.job.job_id: result for result in unit.results}

    return run


Work = Callable[..., dict[int, AttemptResult]]


def test_without_a_model_the_answer_is_no_model_yet(work: Work) -> None:
    result = work([job(1, model=None)])[1]
    assert result.decision is not None
    assert (result.decision.status, str(result.decision.reason)) == (DecisionStatus.ABSTAINED, "no model yet")
    assert result.retry is None


def test_the_first_photo_that_can_be_had_is_used_and_all_tried_are_told(work: Work) -> None:
    model = Model()
    result = work([job(1, images=["a", "b", "c"])], {"a": BadImage("a page"), "b": b"photo", "c": b"unused"}, model)[1]
    assert model.seen[0][0].photo == b"photo"
    assert [(i.image_id, i.status) for i in result.images] == [(10, ImageStatus.UNUSABLE), (11, ImageStatus.STORED)]
    assert result.retry is None


def test_photos_are_fetched_while_the_model_looks_and_let_go_when_it_has_looked(work: Work) -> None:
    held: list[int] = []

    class Slow(Model):
        def answer(self, listings: Iterable[Evidence]) -> list[ModelAnswer]:
            answers = []
            for evidence in listings:
                held.append(fetched.most)
                answers += super().answer([evidence])
            return answers

    class Counting(dict[str, bytes]):
        most = 0

        def __getitem__(self, reference: str) -> bytes:
            self.most += 1
            return super().__getitem__(reference)

    fetched = Counting({str(number): b"photo" for number in range(40)})
    found = work([job(number, images=[str(number)]) for number in range(40)], fetched, Slow())
    assert len(found) == 40
    # When the first is looked at, at most PREFETCHED others and the one after it were asked for: not all forty.
    assert held[0] <= PREFETCHED + 1
    assert held[-1] == 40


def test_a_broken_photo_leaves_a_final_answer_on_text(work: Work) -> None:
    model = Model()
    result = work([job(1, images=["a"])], {"a": BadImage("0 bytes")}, model)[1]
    assert (model.seen[0][0].photo, model.seen[0][0].photo_problem) == (None, Reason.other("0 bytes"))
    assert result.decision is not None
    assert not result.decision.provisional


@pytest.mark.parametrize("trouble", [StorageUnavailable("storage down"), AddressUnavailable("host down")])
def test_trouble_that_may_pass_makes_the_answer_provisional(work: Work, trouble: RayonError) -> None:
    result = work([job(1, images=["a"])], {"a": trouble})[1]
    assert result.decision is not None
    assert result.decision.provisional
    assert str(result.decision.reason) == f"sure; provisional until the photo can be read: {trouble}"
    assert result.retry is not None
    assert result.retry.error == reason_of(trouble)


def test_a_dead_address_is_given_up_after_a_while_but_our_own_storage_is_not(work: Work) -> None:
    jobs = [job(1, images=["a"], failures=ADDRESS_FAILURES), job(2, images=["b"], failures=ADDRESS_FAILURES)]
    found = work(jobs, {"a": AddressUnavailable("host down"), "b": StorageUnavailable("storage down")})
    assert found[1].retry is None
    assert found[2].retry is not None


def test_a_turn_at_a_host_is_waited_for_as_long_as_it_takes_and_counts_against_nobody(work: Work) -> None:
    turn = NotOurTurn("the host gets 20 requests in 10 s", 33.0)
    jobs = [job(1, images=["a"], failures=7), job(2, images=["a"], model=None), job(3, images=["down", "a"])]
    found = work(jobs, {"a": turn, "down": AddressUnavailable("host down")})
    for number, reason in ((1, "sure"), (2, "no model yet")):
        result = found[number]
        assert result.retry == Retry(RetryCause.HOST_BUSY, 33.0, reason_of(turn))
        assert result.decision is not None
        assert result.decision.provisional
        assert str(result.decision.reason).startswith(f"{reason}; provisional until the photo can be read: {turn}")
        assert [image.status for image in result.images] == [ImageStatus.PENDING]
    assert found[3].retry.cause is RetryCause.FAILURE  # beside it another host is down, which has an end


def test_a_host_that_asks_to_wait_is_not_asked_again_before(work: Work) -> None:
    result = work([job(1, images=["a"])], {"a": AddressUnavailable("429", 900.0)})[1]
    assert result.retry == Retry(RetryCause.FAILURE, 900.0, Reason.other("429"))


def test_a_dead_address_makes_no_dead_letter_however_low_the_limit_is(work: Work) -> None:
    found = work([job(1, images=["a"], failures=1)], {"a": AddressUnavailable("host down")}, attempts=2)
    assert found[1].retry is None


def test_one_listing_that_breaks_the_model_does_not_take_its_batch_along(work: Work) -> None:
    found = work([job(1), job(2, "poison"), job(3)])
    assert [found[n].decision is not None for n in (1, 2, 3)] == [True, False, True]
    assert "this name breaks the model" in str(found[2].retry.error)
    assert found[2].retry is not None


def test_a_model_that_cannot_be_loaded_now_leaves_every_job_for_later(work: Work) -> None:
    found = work([job(1), job(2)], loading=StorageUnavailable("storage down"))
    assert [(f.decision, str(f.retry.error)) for f in found.values()] == [(None, "storage down")] * 2


def test_jobs_of_several_models_are_answered_by_their_own(work: Work) -> None:
    model = Model()
    found = work([job(1), job(2, model=ActiveModel(2, "2/1", {})), job(3), job(4, model=None)], model=model)
    assert sorted(len(batch) for batch in model.seen) == [1, 2]
    assert set(found) == {1, 2, 3, 4}


def test_a_model_that_this_program_cannot_read_holds_every_job_and_blames_none(work: Work) -> None:
    found = work([job(1), job(2, failures=7)], loading=BadArtefact("saved by version 1, expected 2"))
    retry = Retry(
        RetryCause.UNREADABLE_MODEL, RetryPolicy().longest_delay, Reason.other("saved by version 1, expected 2")
    )
    assert [(result.decision, result.retry) for result in found.values()] == [(None, retry)] * 2

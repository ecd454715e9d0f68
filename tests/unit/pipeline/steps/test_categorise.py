"""Categorise over the in-memory store: what becomes of claimed jobs when photos or models fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import cast

import pytest

from pipeline.classification.category_names import CategoryNames, CategorySuggestions
from pipeline.classification.trained_model import ModelAnswer, TrainedModel
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.errors import (
    AddressUnavailable,
    BadArtefact,
    BadImage,
    RateLimited,
    RayonError,
    StorageUnavailable,
)
from pipeline.domain.job import AnnouncedWorker, FlowPolicy, JobState, Priority, Queue, RetryPolicy
from pipeline.domain.listing import Content, Evidence, ImageStatus, Submission
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.ports.services import StoredPhoto
from pipeline.steps.categorise import (
    MAX_ADDRESS_FAILURES,
    MAX_PREFETCHED,
    NO_MODEL,
    CategoriseContext,
    categorise,
    claim,
)
from pipeline.steps.intake import accept
from pipeline.steps.jobs import announce_worker, send, sweep
from tests.fakes.tables import StoredJob
from tests.fakes.unit_of_work import MemoryStore
from tests.unit.pipeline.classification.word_encoder import WordEncoder

HOST_DOWN = AddressUnavailable("host down")
STORAGE_DOWN = StorageUnavailable("storage down")
PIPELINE = Priority.PIPELINE
RETRY = RetryPolicy(first_delay=1.0, longest_delay=300.0)


class FakePhotos:
    """Photos by reference: bytes, or the error that their fetch raises."""

    def __init__(self, known: Mapping[str, bytes | RayonError]) -> None:
        self.known = known
        self.fetched: list[str] = []

    def fetch(self, reference: str, *, collected: bool = False) -> StoredPhoto:  # noqa: ARG002 - the port's
        self.fetched.append(reference)
        photo = self.known[reference]
        if isinstance(photo, RayonError):
            raise photo
        return StoredPhoto(photo, f"images/{reference}")


class FakeModel:
    """Answers "Home" to everything; a listing named "poison" breaks it, with all that are asked together with it."""

    def __init__(self) -> None:
        self.batches: list[list[Evidence]] = []
        self.image_problem: Reason | None = None

    def decode(self, evidence: Evidence) -> Evidence:
        return evidence

    def answer(self, listings: Iterable[Evidence], retired: frozenset[str] = frozenset()) -> list[ModelAnswer]:
        self.retired = retired
        batch: list[Evidence] = []
        self.batches.append(batch)
        for evidence in listings:
            batch.append(evidence)
            if evidence.name == "poison":
                raise RuntimeError("this name breaks the model")
        decision = Decision(DecisionStatus.ASSIGNED, "Home", 0.9, Reason.other("sure"))
        return [ModelAnswer(None, None, None, self.image_problem, decision, {}, {"text": 0.01}) for _ in batch]


@dataclass
class Workshop:
    """A store with one source, and a worker that categorises what is posted there."""

    store: MemoryStore = field(default_factory=MemoryStore)
    photos: FakePhotos = field(default_factory=lambda: FakePhotos({}))
    model: FakeModel = field(default_factory=FakeModel)
    loading_error: Exception | None = None
    retry: RetryPolicy = RETRY
    suggestions: CategorySuggestions | None = None

    def __post_init__(self) -> None:
        self.source = self.store.add_source("shop")
        self.store.activate_model(self.source.taxonomy_id)

    def post(self, external_id: str, *images: str, name: str = "Curtain") -> StoredJob:
        accept(self.store.units, self.source.id, [Submission(external_id, Content(name, images=images))], PIPELINE)
        return self.job(external_id)

    def job(self, external_id: str) -> StoredJob:
        (listing,) = (one for one in self.store.tables.listings.values() if one.external_id == external_id)
        (job,) = (one for one in self.store.tables.jobs.values() if one.revision_id == listing.revision_id)
        return job

    def work(self) -> None:
        """One attempt at every job that is due, all of them in one batch."""
        context = self.context()
        job_ids = self.send()
        claimed = claim(context, job_ids)
        assert len(claimed) == len(job_ids)
        assert categorise(context, claimed) == len(claimed)

    def context(self) -> CategoriseContext:
        return CategoriseContext(
            self.store.units, self.photos, self._load, self.retry, "worker/1", 20.0, lambda _: self.suggestions
        )

    def send(self) -> list[int]:
        job_ids: list[int] = []
        announce_worker(self.store.units, AnnouncedWorker("worker", "serve", Queue.CATEGORISE, slots=100))
        send(self.store.units, lambda batch: job_ids.extend(batch.job_ids), FlowPolicy())
        return job_ids

    def decision(self, job: StoredJob) -> Decision | None:
        (decision,) = [d for (revision, _), d in self.store.tables.decisions.items() if revision == job.revision_id]
        return decision

    def decided(self) -> int:
        return len(self.store.tables.decisions)

    def images(self, job: StoredJob) -> list[ImageStatus]:
        return [image.status for image in self.store.tables.images.values() if image.revision_id == job.revision_id]

    def delay(self, job: StoredJob) -> float:
        """Seconds until the next attempt."""
        assert job.state is JobState.WAITING
        return job.not_before - self.store.tables.now

    def _load(self, version: ActiveModel) -> TrainedModel:
        assert version in self.store.tables.active_models.values()
        if self.loading_error is not None:
            raise self.loading_error
        return cast(TrainedModel, self.model)


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.mark.parametrize(("has_labels", "code"), [(False, ReasonCode.NO_LABELLED_EXAMPLE), (True, ReasonCode.NO_MODEL)])
def test_without_a_model_categories_are_ranked_by_their_names(
    workshop: Workshop, *, has_labels: bool, code: ReasonCode
) -> None:
    workshop.store.tables.active_models.clear()
    names = CategoryNames(WordEncoder()).fit([CategoryEntry("Home >> Curtain"), CategoryEntry("Home >> Mug")])
    workshop.suggestions = CategorySuggestions(names, None, has_labels=has_labels)
    named, nameless = workshop.post("named", name="Blue mug"), workshop.post("nameless", name="")
    sold = Submission("sold", Content("Blue mug", seller_category="Home >> Mug"))
    accept(workshop.store.units, workshop.source.id, [sold], PIPELINE)
    workshop.work()
    decision = workshop.decision(named)
    assert decision is not None
    assert (decision.status, decision.category) == (DecisionStatus.NEEDS_REVIEW, "Home >> Mug")
    assert decision.reason == Reason(code)
    ranked = workshop.store.tables.predictions[named.revision_id or 0, None, Modality.TEXT].ranked
    assert [each.category for each in ranked] == ["Home >> Mug", "Home >> Curtain"]
    assert decision.confidence == ranked[0].probability
    assert workshop.decision(nameless) == workshop.decision(workshop.job("sold")) == NO_MODEL


def test_without_a_model_the_decision_is_no_model_yet(workshop: Workshop) -> None:
    workshop.store.tables.active_models.clear()
    workshop.post("a")
    workshop.work()
    job = workshop.job("a")
    assert workshop.decision(job) == NO_MODEL
    assert job.state is JobState.DONE


def test_the_first_photo_that_can_be_had_is_used_and_the_results_of_all_tried_are_written(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": BadImage("a page"), "b": b"photo", "c": b"unused"})
    workshop.post("1", "a", "b", "c")
    workshop.work()
    job = workshop.job("1")
    assert workshop.model.batches[0][0].photo == b"photo"
    assert workshop.images(job) == [ImageStatus.UNUSABLE, ImageStatus.STORED, ImageStatus.PENDING]
    assert workshop.photos.fetched == ["a", "b"]
    assert job.state is JobState.DONE


def test_a_stored_photo_is_not_fetched_from_its_address_again(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": b"photo", "images/a": b"photo"})
    workshop.post("1", "a")
    workshop.work()
    job = workshop.job("1")
    job.state = JobState.WAITING
    workshop.work()
    assert workshop.photos.fetched == ["a", "images/a"]


def test_photos_are_fetched_a_few_ahead_of_the_model(workshop: Workshop) -> None:
    fetched_when_read: list[int] = []

    class SlowModel(FakeModel):
        def answer(self, listings: Iterable[Evidence], retired: frozenset[str] = frozenset()) -> list[ModelAnswer]:
            answers = []
            for evidence in listings:
                fetched_when_read.append(len(workshop.photos.fetched))
                answers += super().answer([evidence], retired)
            return answers

    workshop.model = SlowModel()
    workshop.photos = FakePhotos({str(number): b"photo" for number in range(40)})
    for number in range(40):
        workshop.post(str(number), str(number))
    workshop.work()
    assert workshop.decided() == 40
    # When the model reads the first, at most MAX_PREFETCHED others and the one after it were asked for: not all forty.
    assert fetched_when_read[0] <= MAX_PREFETCHED + 1
    assert fetched_when_read[-1] == 40


def test_a_broken_photo_leaves_a_final_decision_on_text(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": BadImage("0 bytes")})
    workshop.post("1", "a")
    workshop.work()
    job = workshop.job("1")
    evidence = workshop.model.batches[0][0]
    assert (evidence.photo, str(evidence.photo_problem)) == (None, "0 bytes")
    decision = workshop.decision(job)
    assert decision is not None
    assert not decision.provisional


def test_a_photo_that_the_model_cannot_read_is_unusable_although_it_is_stored(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": b"half a photo"})
    workshop.model.image_problem = Reason.other("the file is cut off")
    workshop.post("1", "a")
    workshop.work()
    (image,) = workshop.store.tables.images.values()
    assert (image.status, image.storage_key, image.reason) == (ImageStatus.UNUSABLE, None, "the file is cut off")


@pytest.mark.parametrize("error", [STORAGE_DOWN, HOST_DOWN])
def test_a_photo_that_may_come_later_makes_the_decision_provisional(workshop: Workshop, error: RayonError) -> None:
    workshop.photos = FakePhotos({"a": error})
    workshop.post("1", "a")
    workshop.work()
    job = workshop.job("1")
    decision = workshop.decision(job)
    assert decision is not None
    assert decision.provisional
    assert str(decision.reason) == f"sure; provisional until the photo can be read: {error}"
    assert (job.failures, job.note) == (1, str(error))
    assert 0.5 <= workshop.delay(job) <= 1.0


def test_a_dead_address_is_given_up_after_some_failures_and_our_own_storage_never(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": HOST_DOWN, "b": STORAGE_DOWN})
    workshop.post("1", "a")
    workshop.post("2", "b")
    for _ in range(MAX_ADDRESS_FAILURES + 1):
        workshop.store.pass_time(RETRY.longest_delay)
        workshop.work()
    assert workshop.job("1").state is JobState.DONE
    assert workshop.images(workshop.job("1")) == [ImageStatus.UNREACHABLE]
    assert workshop.job("2").state is JobState.WAITING


def test_a_dead_address_makes_no_dead_letter_however_low_the_limit(workshop: Workshop) -> None:
    workshop.retry = RetryPolicy(attempt_limit=2, first_delay=1.0)
    workshop.photos = FakePhotos({"a": HOST_DOWN})
    workshop.post("1", "a")
    for _ in range(2):
        workshop.work()
        workshop.store.pass_time(1.0)
    assert workshop.job("1").state is JobState.DONE
    assert workshop.store.tables.dead_letters == []


def test_a_busy_host_is_waited_for_as_long_as_it_takes(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": RateLimited("the host gets 20 requests in 10 s", 33.0)})
    workshop.post("1", "a")
    for _ in range(RETRY.attempt_limit + 1):
        workshop.work()
        job = workshop.job("1")
        assert (job.failures, workshop.delay(job)) == (0, 33.0)
        workshop.store.pass_time(33.0)
    decision = workshop.decision(job)
    assert decision is not None
    assert str(decision.reason) == "sure; provisional until the photo can be read: the host gets 20 requests in 10 s"
    assert workshop.images(job) == [ImageStatus.PENDING]


def test_without_a_model_only_a_busy_host_is_waited_for(workshop: Workshop) -> None:
    workshop.store.tables.active_models.clear()
    workshop.photos = FakePhotos({"busy": RateLimited("not now", 33.0), "down": HOST_DOWN})
    workshop.post("1", "busy")
    workshop.post("2", "down")
    workshop.work()
    assert workshop.delay(workshop.job("1")) == 33.0
    assert workshop.job("2").state is JobState.DONE


@pytest.mark.parametrize("images", [("busy", "down"), ("down", "busy")])
def test_beside_a_busy_host_a_dead_one_counts_as_a_failure_and_ends_one_day(
    workshop: Workshop, images: Sequence[str]
) -> None:
    workshop.photos = FakePhotos({"busy": RateLimited("not now", 33.0), "down": HOST_DOWN})
    workshop.post("1", *images)
    workshop.work()
    job = workshop.job("1")
    assert (job.failures, job.note) == (1, "host down")
    assert workshop.delay(job) <= 1.0


def test_a_dead_host_that_was_given_up_leaves_the_busy_one_to_wait_for(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"busy": RateLimited("not now", 33.0), "down": HOST_DOWN})
    job = workshop.post("1", "busy", "down")
    job.failures = MAX_ADDRESS_FAILURES
    workshop.work()
    job = workshop.job("1")
    assert (job.failures, workshop.delay(job)) == (MAX_ADDRESS_FAILURES, 33.0)


def test_a_host_that_asks_to_wait_is_not_asked_before(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": AddressUnavailable("429", 900.0)})
    workshop.post("1", "a")
    workshop.work()
    job = workshop.job("1")
    assert (job.failures, workshop.delay(job)) == (1, 900.0)


def test_one_listing_that_breaks_the_model_does_not_take_its_batch_along(workshop: Workshop) -> None:
    for external_id, name in (("a", "Curtain"), ("b", "poison"), ("c", "Lamp")):
        workshop.post(external_id, name=name)
    workshop.work()
    assert [workshop.job(one).state for one in "abc"] == [JobState.DONE, JobState.WAITING, JobState.DONE]
    assert workshop.job("b").failures == 1
    assert "this name breaks the model" in (workshop.job("b").note or "")
    assert workshop.decided() == 2


def test_a_model_that_cannot_be_loaded_now_leaves_every_job_for_later(workshop: Workshop) -> None:
    workshop.loading_error = STORAGE_DOWN
    workshop.post("a")
    workshop.post("b")
    workshop.work()
    assert [(workshop.job(one).failures, workshop.job(one).note) for one in "ab"] == [(1, "storage down")] * 2
    assert workshop.decided() == 0


def test_a_model_that_this_program_cannot_read_puts_every_job_on_hold_without_a_failure(workshop: Workshop) -> None:
    workshop.loading_error = BadArtefact("saved by version 1, expected 2")
    workshop.post("a")
    workshop.post("b").failures = 7
    workshop.work()
    jobs = [workshop.job(one) for one in "ab"]
    assert [(job.failures, workshop.delay(job)) for job in jobs] == [(0, RETRY.longest_delay), (7, RETRY.longest_delay)]
    assert list(workshop.store.tables.model_problems.values()) == ["saved by version 1, expected 2"]
    assert workshop.decided() == 0
    workshop.loading_error = None
    workshop.store.pass_time(RETRY.longest_delay)
    workshop.work()
    assert list(workshop.store.tables.model_problems.values()) == [None]
    assert workshop.decided() == 2


def test_each_listing_is_decided_by_the_model_of_its_taxonomy(workshop: Workshop) -> None:
    other, third = (workshop.store.add_source(name) for name in ("other", "third"))
    workshop.store.activate_model(other.taxonomy_id)
    workshop.post("a")
    workshop.post("b")
    for source in (other, third):
        accept(workshop.store.units, source.id, [Submission("c", Content("Lamp"))], PIPELINE)
    workshop.work()
    assert sorted(len(batch) for batch in workshop.model.batches) == [1, 2]
    assert workshop.decided() == 4


def test_what_a_worker_did_after_its_lease_is_dropped(workshop: Workshop) -> None:
    workshop.post("a")
    slow = workshop.context()
    job_ids = workshop.send()
    claimed = claim(slow, job_ids)
    workshop.store.pass_time(21.0)
    sweep(workshop.store.units, RETRY)
    assert categorise(slow, claimed) == 0
    assert workshop.decided() == 0
    assert claim(slow, job_ids) == []


def test_a_busy_host_that_names_no_time_is_asked_again_at_once(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"busy": RateLimited("not now")})
    workshop.post("1", "busy")
    workshop.work()
    assert workshop.delay(workshop.job("1")) == 0.0
    workshop.store.tables.active_models.clear()
    workshop.work()
    assert workshop.delay(workshop.job("1")) == 0.0


@pytest.mark.parametrize(("tick", "seconds"), [(0.25, {"fetch": 0.25, "load": 0.25, "text": 0.01}), (0.001, None)])
def test_the_seconds_of_each_stage_are_written_and_that_of_loading_when_it_took_any(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tick: float, seconds: dict[str, float] | None
) -> None:
    readings = count(0.0, tick)
    monkeypatch.setattr("pipeline.steps.categorise.time.perf_counter", lambda: next(readings))
    workshop.post("1")
    workshop.work()
    (attempt,) = workshop.store.tables.attempts.values()
    assert attempt.seconds == (seconds or {"fetch": 0.001, "text": 0.01})


def test_the_delay_grows_with_the_failures_of_the_job(workshop: Workshop) -> None:
    workshop.photos = FakePhotos({"a": STORAGE_DOWN})
    workshop.post("1", "a")
    workshop.work()
    first = workshop.delay(workshop.job("1"))
    assert 0.5 <= first <= 1.0
    workshop.store.tables.now += 400.0
    workshop.work()
    second = workshop.delay(workshop.job("1"))
    assert 1.0 <= second <= 2.0

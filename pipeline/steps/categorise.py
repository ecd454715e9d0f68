"""Categorise claimed jobs: fetch their photos, run the model, and write the decisions.

A few photos are fetched and decoded ahead of the model, which reads them one by one. No transaction is open while
photos are fetched or the model computes.
"""

from __future__ import annotations

import random
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

from pipeline.classification.category_names import CategorySuggestions
from pipeline.classification.photo_reader import DecodedListing, prefetch
from pipeline.classification.trained_model import ModelAnswer, TrainedModel
from pipeline.domain.claimed_job import AttemptResult, ClaimedJob, ImageResult, ImageToFetch
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.errors import (
    AddressUnavailable,
    BadArtefact,
    PermanentFailure,
    RateLimited,
    StorageUnavailable,
    TransientFailure,
)
from pipeline.domain.job import Retry, RetryCause, RetryPolicy
from pipeline.domain.listing import Evidence, ImageStatus
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.prediction import Prediction
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.ports.services import Photos
from pipeline.ports.unit_of_work import UnitsOfWork

NO_MODEL = Decision(DecisionStatus.ABSTAINED, None, None, Reason(ReasonCode.NO_MODEL))
MAX_PREFETCHED = 8  # photos fetched and decoded ahead of the model, which limits the memory of a batch
MAX_ADDRESS_FAILURES = 4  # failures after which a listing is decided without a photo that cannot be fetched


@dataclass(frozen=True, slots=True)
class CategoriseContext:
    """The ports of the use case, its retry policy, and the worker, which claims jobs for ``lease`` seconds.

    ``suggestions`` ranks the categories of a taxonomy without a model by their names; None where that is not possible.
    """

    units: UnitsOfWork
    photos: Photos
    models: Callable[[ActiveModel], TrainedModel]
    retry: RetryPolicy
    worker: str
    lease: float
    suggestions: Callable[[int], CategorySuggestions | None] = lambda _taxonomy_id: None


@dataclass(frozen=True, slots=True)
class PhotoDelay:
    """The reason why a photo is not available yet; it may be available after ``seconds``."""

    cause: RetryCause
    reason: Reason
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """The result to record for an image, its bytes if it was fetched, and a ``delay`` if a retry may succeed."""

    result: ImageResult
    content: bytes | None = None
    delay: PhotoDelay | None = None


@dataclass(frozen=True, slots=True)
class FetchedPhoto:
    """The photo of a listing, or the ``problem`` why there is none; ``delay`` is set if it may be available later.

    ``images`` are the results of all images that were tried.
    """

    content: bytes | None
    problem: Reason | None
    delay: PhotoDelay | None
    images: tuple[ImageResult, ...]
    seconds: float


NOT_FETCHED = FetchedPhoto(None, None, None, (), 0.0)


@dataclass(frozen=True, slots=True)
class AnswerWithoutModel:
    """The decision on a listing of a taxonomy without a model, and the categories ranked by their names if any are."""

    decision: Decision
    predictions: tuple[Prediction, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


def claim(context: CategoriseContext, job_ids: Sequence[int]) -> list[ClaimedJob]:
    """Claim those of the jobs that are still ``sent``."""
    with context.units() as unit:
        claimed = unit.claims.claim(job_ids, context.worker, context.lease)
        unit.commit()
    return claimed


def categorise(context: CategoriseContext, claimed: Sequence[ClaimedJob]) -> int:
    """Attempt claimed jobs and write the results; returns how many had a valid claim and were written."""
    by_model: dict[tuple[int, int | None], list[ClaimedJob]] = defaultdict(list)
    for job in claimed:
        by_model[job.taxonomy_id, job.model_id].append(job)
    results = [result for jobs in by_model.values() for result in _attempt(context, jobs)]
    with context.units() as unit:
        written = unit.claims.finish(results, context.retry)
        unit.commit()
    return written


def _attempt(context: CategoriseContext, jobs: Sequence[ClaimedJob]) -> list[AttemptResult]:
    """The results of jobs with the same taxonomy and model. If it fails for a listing, each job is tried separately."""
    model = jobs[0].model
    if model is None:
        decided = _decide_by_names(context, jobs)
        photos = prefetch(lambda job: _fetch_photo(context, job), jobs, MAX_PREFETCHED)
        return [
            _result_without_model(job, photo, answer) for job, photo, answer in zip(jobs, photos, decided, strict=True)
        ]
    fetched: list[FetchedPhoto] = []
    try:
        started = time.perf_counter()
        trained = context.models(model)
        loading = time.perf_counter() - started
        answers = trained.answer(_open_listings(context, trained, jobs, fetched), jobs[0].retired)
    except TransientFailure as failure:
        return [_failed(context, job, photo, reason_of(failure)) for job, photo in _pair(jobs, fetched)]
    except BadArtefact as failure:
        return [_on_hold(context, job, photo, reason_of(failure)) for job, photo in _pair(jobs, fetched)]
    except Exception:  # noqa: BLE001  # an unexpected error on one listing must not fail its batch
        if len(jobs) == 1:
            error = Reason.other(traceback.format_exc(limit=20))
            return [_failed(context, job, photo, error) for job, photo in _pair(jobs, fetched)]
        return [result for job in jobs for result in _attempt(context, [job])]
    return [
        _result(context, job, photo, answer, loading) for job, photo, answer in zip(jobs, fetched, answers, strict=True)
    ]


def _open_listings(
    context: CategoriseContext, model: TrainedModel, jobs: Sequence[ClaimedJob], fetched: list[FetchedPhoto]
) -> Iterator[DecodedListing]:
    """Yield each listing with its photo decoded; the next ones are fetched while the model reads this one.

    Appends the result of each fetch to ``fetched``, without the bytes.
    """

    def fetch(job: ClaimedJob) -> tuple[FetchedPhoto, DecodedListing]:
        photo = _fetch_photo(context, job)
        return replace(photo, content=None), model.decode(_evidence(job, photo))

    for photo, listing in prefetch(fetch, jobs, MAX_PREFETCHED):
        fetched.append(photo)
        yield listing


def _pair(jobs: Sequence[ClaimedJob], fetched: Sequence[FetchedPhoto]) -> Iterator[tuple[ClaimedJob, FetchedPhoto]]:
    """Each job with its photo, ``NOT_FETCHED`` for the jobs that were not reached."""
    return zip(jobs, chain(fetched, repeat(NOT_FETCHED)))  # noqa: B905  # the second iterable is infinite


def _result(
    context: CategoriseContext, job: ClaimedJob, photo: FetchedPhoto, answer: ModelAnswer, loading: float
) -> AttemptResult:
    seconds = {"fetch": photo.seconds, **answer.seconds}
    if loading > 0.001:
        seconds["load"] = loading
    result = AttemptResult(
        job=job,
        decision=answer.decision,
        predictions=tuple(
            prediction for prediction in (answer.text, answer.image, answer.fused) if prediction is not None
        ),
        embeddings={name: vector.tolist() for name, vector in answer.embeddings.items()},
        images=_mark_unreadable(photo.images, answer.image_problem),
        seconds={stage: round(stage_seconds, 6) for stage, stage_seconds in seconds.items()},
    )
    if photo.delay is None:
        return result
    min_seconds = _delay(context, job) if photo.delay.cause is RetryCause.FAILURE else 0.0
    return _provisional(result, answer.decision, photo.delay, min_seconds)


def _decide_by_names(context: CategoriseContext, jobs: Sequence[ClaimedJob]) -> list[AnswerWithoutModel]:
    """Decisions without a model, with the categories ranked by their names: nothing is assigned by those alone.

    A listing with a seller's category waits for the model that will learn from it.
    """
    started = time.perf_counter()
    answers = [AnswerWithoutModel(NO_MODEL) for _ in jobs]
    unlabelled = [index for index, job in enumerate(jobs) if job.content.seller_category is None]
    suggestions = context.suggestions(jobs[0].taxonomy_id) if unlabelled else None
    if suggestions is None:
        return answers
    reason = Reason(ReasonCode.NO_MODEL if suggestions.has_labels else ReasonCode.NO_LABELLED_EXAMPLE)
    ranked = suggestions.rank([_evidence(jobs[index], NOT_FETCHED) for index in unlabelled])
    seconds = (time.perf_counter() - started) / len(unlabelled)
    for index, prediction in zip(unlabelled, ranked, strict=True):
        if prediction is not None:
            best = prediction.best
            decision = Decision(DecisionStatus.NEEDS_REVIEW, best.category, best.probability, reason)
            answers[index] = AnswerWithoutModel(decision, (prediction,), {"text": round(seconds, 6)})
    return answers


def _result_without_model(job: ClaimedJob, photo: FetchedPhoto, answer: AnswerWithoutModel) -> AttemptResult:
    """The promotion of a model will add a new job, so only a busy photo host is a reason for a retry."""
    result = AttemptResult(
        job=job,
        decision=answer.decision,
        predictions=answer.predictions,
        images=photo.images,
        seconds={"fetch": photo.seconds, **answer.seconds},
    )
    if photo.delay is None or photo.delay.cause is not RetryCause.HOST_BUSY:
        return result
    return _provisional(result, answer.decision, photo.delay, 0.0)


def _provisional(result: AttemptResult, decision: Decision, delay: PhotoDelay, min_seconds: float) -> AttemptResult:
    """A provisional decision, with a retry after the photo's delay and at least ``min_seconds``."""
    reason = decision.reason.with_further(Reason.of(ReasonCode.PROVISIONAL, problem=delay.reason))
    return replace(
        result,
        decision=replace(decision, provisional=True, reason=reason),
        retry=Retry(delay.cause, max(min_seconds, delay.seconds), delay.reason),
    )


def _failed(context: CategoriseContext, job: ClaimedJob, photo: FetchedPhoto, error: Reason) -> AttemptResult:
    return AttemptResult(
        job=job,
        decision=None,
        images=photo.images,
        seconds={"fetch": photo.seconds},
        retry=Retry(RetryCause.FAILURE, _delay(context, job), error),
    )


def _on_hold(context: CategoriseContext, job: ClaimedJob, photo: FetchedPhoto, error: Reason) -> AttemptResult:
    """The listing is fine; its job waits until another model is promoted or a worker can read this one."""
    retry = Retry(RetryCause.UNREADABLE_MODEL, context.retry.longest_delay, error)
    return replace(_failed(context, job, photo, error), retry=retry)


def _delay(context: CategoriseContext, job: ClaimedJob) -> float:
    return context.retry.delay(job.failures + 1, random.random())


def _evidence(job: ClaimedJob, photo: FetchedPhoto) -> Evidence:
    content = job.content
    return Evidence(
        name=content.name,
        description=content.description,
        attributes=content.attributes,
        photo=photo.content,
        photo_problem=photo.problem,
    )


def _mark_unreadable(images: tuple[ImageResult, ...], problem: Reason | None) -> tuple[ImageResult, ...]:
    """Mark the photo as unusable if the model could not read it, although its bytes are stored."""
    if problem is None or not images or images[0].status is not ImageStatus.STORED:
        return images
    first = replace(images[0], status=ImageStatus.UNUSABLE, storage_key=None, reason=problem)
    return (first, *images[1:])


def _fetch_photo(context: CategoriseContext, job: ClaimedJob) -> FetchedPhoto:
    """Fetch the first image of the listing that is available."""
    started = time.perf_counter()
    images: list[ImageResult] = []
    delay: PhotoDelay | None = None
    content: bytes | None = None
    is_last_try = job.failures >= min(MAX_ADDRESS_FAILURES, context.retry.attempt_limit - 1)
    for image in job.images:
        fetched = _fetch_image(context.photos, image, is_last_try=is_last_try)
        content = fetched.content
        images.append(fetched.result)
        # A failure takes precedence over a busy host, since only retries after failures are limited.
        if delay is None or (delay.cause is RetryCause.HOST_BUSY and fetched.delay is not None):
            delay = fetched.delay
        if content is not None:
            delay = None
            break
    problem = None
    if content is None:
        problem = images[0].reason if images else Reason(ReasonCode.LISTING_WITHOUT_PHOTO)
    return FetchedPhoto(content, problem, delay, tuple(images), time.perf_counter() - started)


def _fetch_image(photos: Photos, image: ImageToFetch, *, is_last_try: bool) -> FetchedImage:
    """Fetch an image; on the last try, the failure of an external host is final."""
    try:
        photo = photos.fetch(image.storage_key or image.reference, collected=image.collected)
    except PermanentFailure as failure:
        return FetchedImage(ImageResult(image.image_id, ImageStatus.UNUSABLE, reason=reason_of(failure)))
    except RateLimited as failure:
        result = ImageResult(image.image_id, ImageStatus.PENDING, reason=reason_of(failure))
        delay = PhotoDelay(RetryCause.HOST_BUSY, reason_of(failure), failure.retry_after or 0.0)
        return FetchedImage(result, delay=delay)
    except AddressUnavailable as failure:
        # An external host: after a few failures the listing is decided without the photo. Our own storage is retried.
        result = ImageResult(image.image_id, ImageStatus.UNREACHABLE, reason=reason_of(failure))
        delay = PhotoDelay(RetryCause.FAILURE, reason_of(failure), failure.retry_after or 0.0)
        return FetchedImage(result, delay=None if is_last_try else delay)
    except StorageUnavailable as failure:
        result = ImageResult(image.image_id, ImageStatus.PENDING, reason=reason_of(failure))
        return FetchedImage(result, delay=PhotoDelay(RetryCause.FAILURE, reason_of(failure)))
    stored = ImageResult(image.image_id, ImageStatus.STORED, storage_key=photo.storage_key)
    return FetchedImage(stored, photo.content)

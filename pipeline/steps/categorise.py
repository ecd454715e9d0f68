"""Categorise: claimed jobs become findings: photos fetched, a model asked, decisions ready to be written.

Photos are fetched and decoded a few ahead of the model, which describes one after the other. No transaction is open
while photos are fetched or a model computes.
"""

from __future__ import annotations

import random
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat

from pipeline.classification.photo_reader import Opened
from pipeline.classification.prefetch import prefetch
from pipeline.classification.trained_model import Answer, TrainedModel
from pipeline.domain.claimed_job import AttemptResult, ClaimedJob, ImageToFetch, StoredImage
from pipeline.domain.errors import (
    AddressUnavailable,
    BadArtefact,
    NotOurTurn,
    PermanentFailure,
    StorageUnavailable,
    TransientFailure,
)
from pipeline.domain.job import RetryPolicy
from pipeline.domain.listing import Evidence, ImageStatus
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.prediction import Decision, DecisionStatus
from pipeline.ports.services import Photos
from pipeline.ports.unit_of_work import UnitsOfWork

NO_MODEL = Decision(DecisionStatus.ABSTAINED, None, None, "no model yet")
AHEAD = 8  # photos fetched and decoded before the model looks at them: bounds what a batch holds
ADDRESS_PATIENCE = 4  # failures after which a seller's dead address is no longer waited for


@dataclass(frozen=True, slots=True)
class CategoriseContext:
    """What a worker works with: the record, the photos, the models, and how long it holds what it claims."""

    units: UnitsOfWork
    photos: Photos
    models: Callable[[ActiveModel], TrainedModel]
    retry: RetryPolicy
    worker: str
    lease: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a photo away and may pass; ``seconds`` is how long it lasts at least.

    A ``turn`` is only waited for: it does not count as a failure, and the photo is not given up.
    """

    reason: str
    seconds: float = 0.0
    turn: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """The photo of one listing, or why there is none; ``trouble`` is set while it may pass."""

    photo: bytes | None
    problem: str | None
    trouble: Trouble | None
    images: tuple[StoredImage, ...]
    seconds: float


NOT_FETCHED = Fetched(None, None, None, (), 0.0)


def categorise(desk: CategoriseContext, claimed: Sequence[ClaimedJob]) -> int:
    """Work on claimed jobs and write what was found; returns how many findings held their fence."""
    by_model: dict[int | None, list[ClaimedJob]] = defaultdict(list)
    for job in claimed:
        by_model[job.model.model_id if job.model else None].append(job)
    findings = [finding for jobs in by_model.values() for finding in _find(desk, jobs)]
    with desk.units() as unit:
        written = unit.claims.finish(findings, desk.retry)
        unit.commit()
    return written


def _find(desk: CategoriseContext, jobs: Sequence[ClaimedJob]) -> list[AttemptResult]:
    """Findings of jobs that share a model. One listing that breaks the model does not take its batch along."""
    model = jobs[0].model
    if model is None:
        return [
            _without_model(job, f)
            for job, f in zip(jobs, prefetch(lambda job: _fetch(desk, job), jobs, AHEAD), strict=True)
        ]
    fetched: list[Fetched] = []
    try:
        started = time.perf_counter()
        trained = desk.models(model)
        loading = time.perf_counter() - started
        answers = trained.answer(_arriving(desk, trained, jobs, fetched))
    except TransientFailure as failure:
        return [_failed(desk, job, f, str(failure)) for job, f in _so_far(jobs, fetched)]
    except BadArtefact as failure:
        return [_held(desk, job, f, str(failure)) for job, f in _so_far(jobs, fetched)]
    except Exception:
        if len(jobs) == 1:
            return [_failed(desk, job, f, traceback.format_exc(limit=20)) for job, f in _so_far(jobs, fetched)]
        return [finding for job in jobs for finding in _find(desk, [job])]
    return [_answered(desk, job, f, a, loading) for job, f, a in zip(jobs, fetched, answers, strict=True)]


def _arriving(
    desk: CategoriseContext, model: TrainedModel, jobs: Sequence[ClaimedJob], fetched: list[Fetched]
) -> Iterator[Opened]:
    """The listings as their photos come, fetched and decoded while the model looks at those before.

    What is to be written about each fetch is added to ``fetched``, without the photo.
    """

    def fetch(job: ClaimedJob) -> tuple[Fetched, Opened]:
        found = _fetch(desk, job)
        return replace(found, photo=None), model.open(_evidence(job, found))

    for found, opened in prefetch(fetch, jobs, AHEAD):
        fetched.append(found)
        yield opened


def _so_far(jobs: Sequence[ClaimedJob], fetched: Sequence[Fetched]) -> Iterator[tuple[ClaimedJob, Fetched]]:
    """Each job with what is known of its photo; of those that were not reached, nothing."""
    return zip(jobs, chain(fetched, repeat(NOT_FETCHED)))  # noqa: B905  # the second never ends


def _answered(
    desk: CategoriseContext, job: ClaimedJob, fetched: Fetched, answer: Answer, loading: float
) -> AttemptResult:
    seconds = {"fetch": fetched.seconds, **answer.seconds}
    if loading > 0.001:
        seconds["load"] = loading
    finding = AttemptResult(
        job=job,
        decision=answer.decision,
        predictions=tuple(p for p in (answer.text, answer.image, answer.fused) if p is not None),
        embeddings={name: vector.tolist() for name, vector in answer.embeddings.items()},
        images=_judged(fetched.images, answer.image_problem),
        seconds={stage: round(spent, 6) for stage, spent in seconds.items()},
    )
    trouble = fetched.trouble
    if trouble is None:
        return finding
    return _provisional(finding, answer.decision, trouble, 0.0 if trouble.turn else _delay(desk, job))


def _without_model(job: ClaimedJob, fetched: Fetched) -> AttemptResult:
    """Promoting a model brings the job back; until then only a turn at the photo's host is worth waiting for."""
    finding = AttemptResult(job=job, decision=NO_MODEL, images=fetched.images, seconds={"fetch": fetched.seconds})
    if fetched.trouble is None or not fetched.trouble.turn:
        return finding
    return _provisional(finding, NO_MODEL, fetched.trouble, 0.0)


def _provisional(finding: AttemptResult, decision: Decision, trouble: Trouble, delay: float) -> AttemptResult:
    reason = f"{decision.reason}; provisional until the photo can be read: {trouble.reason}"
    return replace(
        finding,
        decision=replace(decision, provisional=True, reason=reason),
        retry_in=max(delay, trouble.seconds),
        error=trouble.reason,
        put_off=trouble.turn,
    )


def _failed(desk: CategoriseContext, job: ClaimedJob, fetched: Fetched, error: str) -> AttemptResult:
    return AttemptResult(
        job=job,
        decision=None,
        images=fetched.images,
        seconds={"fetch": fetched.seconds},
        retry_in=_delay(desk, job),
        error=error,
    )


def _held(desk: CategoriseContext, job: ClaimedJob, fetched: Fetched, error: str) -> AttemptResult:
    """Nothing is wrong with the listing: it waits until another model is promoted, or a program reads this one."""
    return replace(_failed(desk, job, fetched, error), retry_in=desk.retry.longest_delay, held=True)


def _delay(desk: CategoriseContext, job: ClaimedJob) -> float:
    return desk.retry.delay(job.failures + 1, random.random())


def _evidence(job: ClaimedJob, fetched: Fetched) -> Evidence:
    content = job.content
    return Evidence(
        name=content.name,
        description=content.description,
        attributes=content.attributes,
        photo=fetched.photo,
        photo_problem=fetched.problem,
    )


def _judged(images: tuple[StoredImage, ...], problem: str | None) -> tuple[StoredImage, ...]:
    """A photo that the model could not read is unusable, though its bytes are stored."""
    if problem is None or not images or images[0].status is not ImageStatus.STORED:
        return images
    first = replace(images[0], status=ImageStatus.UNUSABLE, storage_key=None, reason=problem)
    return (first, *images[1:])


def _fetch(desk: CategoriseContext, job: ClaimedJob) -> Fetched:
    """The first image that can be had. All that were tried are told."""
    started = time.perf_counter()
    tried: list[StoredImage] = []
    trouble: Trouble | None = None
    content: bytes | None = None
    last_chance = job.failures >= min(ADDRESS_PATIENCE, desk.retry.attempt_limit - 1)
    for image in job.images:
        content, seen, passing = _try(desk.photos, image, last_chance)
        tried.append(seen)
        if trouble is None or (trouble.turn and passing is not None):
            trouble = passing
        if content is not None:
            trouble = None
            break
    problem = None
    if content is None:
        problem = tried[0].reason if tried else "the listing has no photo"
    return Fetched(content, problem, trouble, tuple(tried), time.perf_counter() - started)


def _try(photos: Photos, image: ImageToFetch, last_chance: bool) -> tuple[bytes | None, StoredImage, Trouble | None]:
    """Bytes of an image, what to write down about it, and the trouble that may pass."""
    try:
        photo = photos.fetch(image.storage_key or image.reference, image.collected)
    except PermanentFailure as failure:
        return None, StoredImage(image.image_id, ImageStatus.UNUSABLE, reason=str(failure)), None
    except NotOurTurn as failure:
        seen = StoredImage(image.image_id, ImageStatus.PENDING, reason=str(failure))
        return None, seen, Trouble(str(failure), failure.retry_after or 0.0, turn=True)
    except AddressUnavailable as failure:
        # Somebody else's host: after a few tries the listing is decided without it. Our own storage is waited for.
        seen = StoredImage(image.image_id, ImageStatus.UNREACHABLE, reason=str(failure))
        return None, seen, None if last_chance else Trouble(str(failure), failure.retry_after or 0.0)
    except StorageUnavailable as failure:
        seen = StoredImage(image.image_id, ImageStatus.PENDING, reason=str(failure))
        return None, seen, Trouble(str(failure))
    return photo.content, StoredImage(image.image_id, ImageStatus.STORED, storage_key=photo.storage_key), None

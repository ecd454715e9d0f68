"""Assess here: all stages of a study in this process, on listings in hand, without record or queue."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.domain.listing import Example
from pipeline.domain.study import WEIGHTS, Stage, StudyPlan
from pipeline.features import extractor
from pipeline.ports.services import ObjectStorage
from pipeline.study.dataset import StudyDataset, without_photos
from pipeline.study.features import FeatureStore
from pipeline.study.study_folder import WORK, StudyFolder
from pipeline.study.study_run import Progress, StudyRun, chosen_extractors
from pipeline.study.study_steps import StudySteps


@dataclass(frozen=True, slots=True)
class LocalStudyResult:
    """The report, and the folder that holds its rendered files."""

    report: dict[str, Any]
    folder: StudyFolder


def run_study_locally(
    examples: Sequence[Example],
    plan: StudyPlan,
    subject: str,
    storage: ObjectStorage,
    store: FeatureStore,
    weights: Mapping[str, str],
    methods: StudySteps,
    progress: Progress,
) -> LocalStudyResult:
    """Study labelled listings; InvalidInput when there is nothing to tell apart.

    ``weights`` are local paths by extractor. Results of finished trials are kept in ``storage`` under a key made of
    the listings' fingerprint, the plan, the weights and the extractors' versions, so that the same call goes on where
    it was interrupted, and a program whose extractors give other vectors begins anew.
    """
    begun = time.perf_counter()
    course = open_course(examples, plan, storage, store, weights, methods)
    resumed = bool(course.folder.names())
    names = course.extractors()
    for number, name in enumerate(names):
        course.try_extractor(name, _share(progress, Stage.TRIAL, number, len(names)))
    course.combine(_share(progress, Stage.COMBINE))
    compared = course.comparisons()
    for number, name in enumerate(compared):
        course.compare(name, _share(progress, Stage.COMPARE, number, len(compared)))
    jobs = course.jobs()
    for number, name in enumerate(jobs):
        course.judge(name, _share(progress, Stage.SUPERVISED, number, len(jobs)))
    # What an interrupted call took is only known by its parts.
    spent = None if resumed else time.perf_counter() - begun
    report = course.conclude(subject, datetime.now(UTC), (), _share(progress, Stage.CONCLUDE), seconds=spent)
    course.folder.clear(WORK)
    return LocalStudyResult(report, course.folder)


def open_course(
    examples: Sequence[Example],
    plan: StudyPlan,
    storage: ObjectStorage,
    store: FeatureStore,
    weights: Mapping[str, str],
    methods: StudySteps,
) -> StudyRun:
    """The course over a sample of listings in hand."""
    drawn = methods.draw([example.category for example in examples], plan)
    chosen = [examples[index] for index in drawn.chosen]
    evidences = [example.evidence for example in chosen]
    texts = without_photos(evidences)
    digests = [hashlib.sha256(e.photo).hexdigest() if e.photo is not None else None for e in evidences]
    keys = [example.key for example in chosen]
    fingerprint = methods.fingerprint(keys, texts, digests, [drawn.categories[label] for label in drawn.labels])
    studied = StudyDataset(
        level=drawn.level,
        categories=tuple(drawn.categories),
        labels=drawn.labels,
        fingerprint=fingerprint,
        listings=len(examples),
        keys=keys,
        listing_ids=[None] * len(keys),
        texts=texts,
        photos=evidences,
        paths=[example.category for example in chosen],
    )
    versions = {name: extractor.load_extractor(name).version for name in chosen_extractors(plan)}
    told = json.dumps([fingerprint, asdict(plan), sorted(weights.items()), versions])
    kept = hashlib.sha256(told.encode()).hexdigest()
    return StudyRun(
        plan=plan,
        studied=studied,
        folder=StudyFolder(storage, f"studies/{kept[:32]}/"),
        store=store,
        weights=weights.get,
        methods=methods,
        explain=lambda error: f"{type(error).__name__}: {error}",
    )


def _share(progress: Progress, stage: Stage, number: int = 0, count: int = 1) -> Progress:
    """The part of the whole that one job of a stage takes."""
    before = sum(weight for earlier, weight in WEIGHTS.items() if list(Stage).index(earlier) < list(Stage).index(stage))
    begin, width = before + WEIGHTS[stage] * number / count, WEIGHTS[stage] / count
    return lambda share, note: progress(begin + width * share, note)

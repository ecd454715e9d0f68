"""Run all stages of a study in this process, on listings in memory, without database or queue."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.domain.listing import Example
from pipeline.domain.progress import Progress, stage
from pipeline.domain.reason import Reason
from pipeline.domain.study import STAGE_SHARES, Stage, StudyPlan
from pipeline.domain.study_report import StudyReport
from pipeline.features.extractor import load_extractor
from pipeline.ports.services import ObjectStorage
from pipeline.study.dataset import StudyDataset, dataset_fingerprint, without_photos
from pipeline.study.features import FeatureStore
from pipeline.study.study_run import StudyRun, planned_extractors
from pipeline.study.study_steps import ReportHeader, StudySteps
from pipeline.study.study_storage import WORK_FOLDER, StudyFolder


@dataclass(frozen=True, slots=True)
class LocalStudyContext:
    """The services a local study uses; ``weights`` are local paths by extractor."""

    storage: ObjectStorage
    store: FeatureStore
    weights: Mapping[str, str]
    steps: StudySteps


@dataclass(frozen=True, slots=True)
class LocalStudyResult:
    """The report, and the folder that holds its rendered files."""

    report: StudyReport
    folder: StudyFolder


def run_study_locally(
    examples: Sequence[Example], plan: StudyPlan, subject: str, context: LocalStudyContext, progress: Progress
) -> LocalStudyResult:
    """Study labelled listings; InvalidInput when there is too little to study.

    Results of finished trials are kept in the storage under a key made of the listings' fingerprint, the plan, the
    weights and the extractors' versions: the same call goes on where it was interrupted, and one whose extractors make
    other vectors begins anew.
    """
    started = time.perf_counter()
    run = open_local_run(examples, plan, context)
    resumed = bool(run.folder.names())
    for name, part in _with_progress(progress, Stage.TRIAL, run.extractors()):
        run.try_extractor(name, part)
    run.try_combinations(_job_progress(progress, Stage.COMBINE))
    for name, part in _with_progress(progress, Stage.COMPARE, run.comparisons()):
        run.compare_clusterings(name, part)
    for name, part in _with_progress(progress, Stage.SUPERVISED, run.supervised_jobs()):
        run.run_supervised_job(name, part)
    # How long an interrupted study took is only known by its parts.
    seconds = None if resumed else time.perf_counter() - started
    header = ReportHeader(subject, datetime.now(UTC), seconds=seconds)
    report = run.conclude(header, _job_progress(progress, Stage.CONCLUDE))
    run.folder.clear(WORK_FOLDER)
    return LocalStudyResult(report, run.folder)


def open_local_run(examples: Sequence[Example], plan: StudyPlan, context: LocalStudyContext) -> StudyRun:
    """The run over a sample of the listings."""
    drawn = context.steps.draw_sample([example.category for example in examples], plan)
    chosen = [examples[index] for index in drawn.indices]
    evidences = [example.evidence for example in chosen]
    texts = without_photos(evidences)
    digests = [hashlib.sha256(each.photo).hexdigest() if each.photo is not None else None for each in evidences]
    keys = [example.key for example in chosen]
    fingerprint = dataset_fingerprint(keys, texts, digests, [drawn.categories[label] for label in drawn.labels])
    dataset = StudyDataset(
        level=drawn.level,
        categories=drawn.categories,
        labels=drawn.labels,
        fingerprint=fingerprint,
        n_labelled=len(examples),
        keys=keys,
        listing_ids=[None] * len(keys),
        text_evidences=texts,
        evidences=evidences,
        paths=[example.category for example in chosen],
    )
    versions = {name: load_extractor(name).version for name in planned_extractors(plan)}
    identity = json.dumps([fingerprint, asdict(plan), sorted(context.weights.items()), versions])
    key = hashlib.sha256(identity.encode()).hexdigest()
    return StudyRun(
        plan=plan,
        dataset=dataset,
        folder=StudyFolder(context.storage, f"studies/{key[:32]}/"),
        store=context.store,
        weights=context.weights.get,
        steps=context.steps,
        explain=lambda error: Reason.other(f"{type(error).__name__}: {error}"),
    )


def _job_progress(progress: Progress, of: Stage, number: int = 0, count: int = 1) -> Progress:
    """The progress of one of the ``count`` jobs of a stage."""
    stages = list(Stage)
    before = sum(STAGE_SHARES[each] for each in stages[: stages.index(of)])
    share = STAGE_SHARES[of] / count
    return stage(progress, before + number * share, before + (number + 1) * share)


def _with_progress(progress: Progress, of: Stage, names: Sequence[str]) -> list[tuple[str, Progress]]:
    """The jobs of a stage, each with its progress."""
    return [(name, _job_progress(progress, of, number, len(names))) for number, name in enumerate(names)]

"""Run all stages of a study in this process, on listings in memory, without a database or queue."""

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
    """The services that a local study uses; ``weights`` are local paths by extractor."""

    storage: ObjectStorage
    store: FeatureStore
    weights: Mapping[str, str]
    steps: StudySteps


@dataclass(frozen=True, slots=True)
class LocalStudyResult:
    """The report, and the folder with its rendered files."""

    report: StudyReport
    folder: StudyFolder


def run_study_locally(
    examples: Sequence[Example], plan: StudyPlan, subject: str, context: LocalStudyContext, progress: Progress
) -> LocalStudyResult:
    """Study labelled listings; raises InvalidInput when there are too few of them.

    The results of finished trials are stored under a key made of the listings' fingerprint, the plan, the weights and
    the extractors' versions: the same call continues an interrupted study, while a changed extractor version starts a
    new one.
    """
    started = time.perf_counter()
    run = open_local_run(examples, plan, context)
    resumed = bool(run.folder.names())
    for name, job_progress in _with_progress(progress, Stage.TRIAL, run.extractors()):
        run.try_extractor(name, job_progress)
    run.try_combinations(_job_progress(progress, Stage.COMBINE))
    for name, job_progress in _with_progress(progress, Stage.COMPARE, run.comparisons()):
        run.compare_clusterings(name, job_progress)
    for name, job_progress in _with_progress(progress, Stage.SUPERVISED, run.supervised_jobs()):
        run.run_supervised_job(name, job_progress)
    # The duration of a resumed study is unknown, as only this run was timed.
    seconds = None if resumed else time.perf_counter() - started
    header = ReportHeader(subject, datetime.now(UTC), seconds=seconds)
    report = run.conclude(header, _job_progress(progress, Stage.CONCLUDE))
    run.folder.clear(WORK_FOLDER)
    return LocalStudyResult(report, run.folder)


def open_local_run(examples: Sequence[Example], plan: StudyPlan, context: LocalStudyContext) -> StudyRun:
    """Draw a sample of the listings, and open the study run on it."""
    drawn = context.steps.draw_sample([example.category for example in examples], plan)
    chosen = [examples[index] for index in drawn.indices]
    evidences = [example.evidence for example in chosen]
    texts = without_photos(evidences)
    digests = [
        hashlib.sha256(evidence.photo).hexdigest() if evidence.photo is not None else None for evidence in evidences
    ]
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


def _job_progress(progress: Progress, study_stage: Stage, index: int = 0, count: int = 1) -> Progress:
    """The progress of one of the ``count`` jobs of a study's stage."""
    stages = list(Stage)
    stage_start = sum(STAGE_SHARES[earlier] for earlier in stages[: stages.index(study_stage)])
    job_share = STAGE_SHARES[study_stage] / count
    return stage(progress, stage_start + index * job_share, stage_start + (index + 1) * job_share)


def _with_progress(progress: Progress, study_stage: Stage, names: Sequence[str]) -> list[tuple[str, Progress]]:
    """The names of the jobs of a study's stage, each with its progress."""
    return [(name, _job_progress(progress, study_stage, index, len(names))) for index, name in enumerate(names)]

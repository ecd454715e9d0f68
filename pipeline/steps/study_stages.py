"""The stages of a study as jobs: sample, trial, combine, compare, supervised, conclude.

Each call does one job and may be repeated: finished work is found in the study's folder. The jobs of the next stage are
not added here, but by ``Claims.end_long_job`` when the last job of a stage ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.domain.errors import AddressUnavailable, InvalidInput, PermanentFailure
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.json_record import JsonRecord
from pipeline.domain.listing import Content, Evidence
from pipeline.domain.progress import Progress
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import (
    ADVANCE_STAGE,
    PLAN_STAGE,
    Candidate,
    SampleFacts,
    Stage,
    Study,
    StudyStatus,
    TrialStatus,
    study_key,
)
from pipeline.domain.study_report import ClusteringResult, SupervisedFigures, Trial
from pipeline.features import weights_lookup
from pipeline.ports.services import ObjectStorage, Photos
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork
from pipeline.steps.studies import MIN_LABELLED_LISTINGS, begin_due_studies
from pipeline.study.dataset import StudyDataset, dataset_fingerprint
from pipeline.study.dataset_photos import READ_THREADS, LazyPhotoEvidences
from pipeline.study.study_run import StudyRun, planned_extractors
from pipeline.study.study_steps import ReportHeader, StudySteps
from pipeline.study.study_storage import WORK_FOLDER, StoredFeatures, StudyFolder

SAMPLE_FILE = "sample.json"


@dataclass(frozen=True, slots=True)
class StudyContext:
    """The services that the jobs of a study use; ``explain`` converts an unexpected error to a reason."""

    units: UnitsOfWork
    storage: ObjectStorage
    photos: Photos
    weights_path: Callable[[str], Path]
    steps: StudySteps
    explain: Callable[[Exception], Reason]


@dataclass(frozen=True, slots=True)
class StoredSample(JsonRecord):
    """The sample of a study as stored in its folder; the listings are fixed by their revisions.

    ``labels`` are indices into ``categories``, ``photos`` are storage keys, and ``paths`` are the full categories.
    """

    level: int
    categories: tuple[str, ...]
    labels: tuple[int, ...]
    fingerprint: str
    listings: int
    keys: tuple[str, ...]
    listing_ids: tuple[int | None, ...]
    revision_ids: tuple[int, ...]
    photos: tuple[str | None, ...]
    # Empty in studies that were begun by an earlier version.
    paths: tuple[str, ...] = ()
    attributions: tuple[str | None, ...] = ()


def run_study_job(context: StudyContext, payload: Mapping[str, Any], progress: Progress) -> str:
    """Run one job of a study; returns a sentence about its result.

    Raises TransientFailure for temporary problems, and other errors for those that need a person.
    """
    if payload["stage"] == PLAN_STAGE:
        return plan_studies(context, int(payload["period"]))
    with context.units() as unit:
        study = unit.studies.read(int(payload["study_id"]))
    if study.status is not StudyStatus.RUNNING:
        return f"study {study.id} has ended already"
    if payload["stage"] == ADVANCE_STAGE:
        reason = Reason.stored(payload.get("coded_reason"), str(payload["reason"]))
        return go_on_without(context, study, Stage(payload["of"]), payload.get("name"), reason)
    return _run_stage(context, study, Stage(payload["stage"]), str(payload.get("name")), progress)


def _run_stage(context: StudyContext, study: Study, stage: Stage, name: str, progress: Progress) -> str:
    if stage is Stage.SAMPLE:
        return draw_sample(context, study, progress)
    run = open_run(context, study)
    match stage:
        case Stage.TRIAL:
            return _write_trials(context, study, run.try_extractor(name, progress))
        case Stage.COMBINE:
            return combine(context, study, run, progress)
        case Stage.COMPARE:
            return _describe_comparison(name, run.compare_clusterings(name, progress))
        case Stage.SUPERVISED:
            return "; ".join(map(_describe_figures, run.run_supervised_job(name, progress)))
        case _:
            return conclude(context, study, run, progress)


def plan_studies(context: StudyContext, period: int) -> str:
    """Begin the studies of a period: one per taxonomy with enough labelled listings, unless one is running."""
    study_ids = begin_due_studies(context.units, period)
    if study_ids:
        return f"began {', '.join(f'study {study_id}' for study_id in study_ids)}"
    return (
        f"nothing to begin: no taxonomy with {MIN_LABELLED_LISTINGS} labelled listings is without a study of this "
        "period"
    )


def draw_sample(context: StudyContext, study: Study, progress: Progress) -> str:
    """Draw the sample and fix its listings by their revisions; with too few listings the study fails."""
    with context.units() as unit:
        candidates = unit.studies.candidates(study.taxonomy_id)
    try:
        extractors = {name: extractor_spec(name).modality for name in planned_extractors(study.plan)}
        drawn = context.steps.draw_sample([candidate.category for candidate in candidates], study.plan)
    except InvalidInput as error:
        with context.units() as unit:
            unit.studies.fail(study.id, reason_of(error))
            unit.commit()
        return str(error)
    chosen = [candidates[index] for index in drawn.indices]
    photos = _fetch_photos(context.photos, chosen, progress)
    revision_ids = [candidate.revision_id for candidate in chosen]
    with context.units() as unit:
        texts = [_evidence(content) for content in unit.studies.contents(revision_ids)]
    keys = [candidate.key for candidate in chosen]
    digests = [photo and photo.rpartition("/")[2] for photo in photos]
    names = [drawn.categories[label] for label in drawn.labels]
    sample = StoredSample(
        level=drawn.level,
        categories=drawn.categories,
        labels=tuple(drawn.labels.tolist()),
        fingerprint=dataset_fingerprint(keys, texts, digests, names),
        listings=len(candidates),
        keys=tuple(keys),
        listing_ids=tuple(candidate.listing_id for candidate in chosen),
        revision_ids=tuple(revision_ids),
        photos=tuple(photos),
        paths=tuple(candidate.category for candidate in chosen),
        attributions=tuple(candidate.attribution for candidate in chosen),
    )
    _folder(context, study).write_json(SAMPLE_FILE, sample.as_json())
    facts = SampleFacts(sample.fingerprint, drawn.level, len(drawn.categories), len(candidates), len(chosen))
    with context.units() as unit:
        unit.studies.freeze(study.id, facts, extractors)
        unit.commit()
    return f"{len(chosen)} of {len(candidates)} listings in {len(drawn.categories)} categories"


def combine(context: StudyContext, study: Study, run: StudyRun, progress: Progress) -> str:
    """Run the trials of combined text and photo features, then write the jobs of the next two stages."""
    trials = run.try_combinations(progress)
    with context.units() as unit:
        unit.studies.write_trials(study.id, trials)
        _add_to_agenda(unit, study, run)
        unit.commit()
    return _describe_trials(trials) if trials else "there is no pair of text and image features to combine"


def conclude(context: StudyContext, study: Study, run: StudyRun, progress: Progress) -> str:
    """Write the report and its files, then the verdict, so that a study that is done has its files."""
    header = ReportHeader(study.taxonomy, study.created_at, study.id, study.past)
    report = run.conclude(header, progress)
    with context.units() as unit:
        unit.studies.conclude(study.id, report.verdict, report.assessment.best_ari())
        unit.commit()
    run.folder.clear(WORK_FOLDER)
    return f"{report.verdict.replace('_', ' ')}: {report.studied} listings"


def go_on_without(context: StudyContext, study: Study, stage: Stage, name: str | None, reason: Reason) -> str:
    """Record that a job failed for good: its trial fails, or the whole study if it cannot continue without it."""
    if stage in (Stage.SAMPLE, Stage.CONCLUDE) or (stage is Stage.TRIAL and name is None):
        with context.units() as unit:
            unit.studies.fail(study.id, reason)
            unit.commit()
        return f"study {study.id} has failed: {reason}"
    run = open_run(context, study)
    if stage is Stage.COMPARE:
        run.fail_comparison(str(name), reason)
        return f"{name} could not be compared: {reason}"
    if stage is Stage.SUPERVISED:
        run.fail_supervised_job(str(name), reason)
        return f"{name} has failed: {reason}"
    if stage is Stage.TRIAL:
        return _write_trials(context, study, run.fail_trial(str(name), reason))
    trials = run.fail_combinations(reason)
    with context.units() as unit:
        _add_to_agenda(unit, study, run)
        unit.commit()
    return _write_trials(context, study, trials)


def open_run(context: StudyContext, study: Study) -> StudyRun:
    """Open the run of a study on its sample; a listing that was deleted since keeps its row, but has no texts."""
    folder = _folder(context, study)
    stored = folder.read_json(SAMPLE_FILE)
    if stored is None:
        raise PermanentFailure(Reason.of(ReasonCode.SAMPLE_GONE, study=study.id))
    sample = StoredSample.from_json(stored)
    with context.units() as unit:
        texts = [_evidence(content) for content in unit.studies.contents(sample.revision_ids)]
    dataset = StudyDataset(
        level=sample.level,
        categories=sample.categories,
        labels=np.array(sample.labels, np.int64),
        fingerprint=sample.fingerprint,
        n_labelled=sample.listings,
        keys=sample.keys,
        listing_ids=sample.listing_ids,
        text_evidences=texts,
        evidences=LazyPhotoEvidences(texts, sample.photos, lambda key: _read_photo(context.photos, key)),
        paths=sample.paths,
        attributions=sample.attributions,
    )
    return StudyRun(
        plan=study.plan,
        dataset=dataset,
        folder=folder,
        store=StoredFeatures(context.storage, str(study.taxonomy_id)),
        weights=lambda name: weights_lookup.find_weights(name, context.weights_path),
        steps=context.steps,
        explain=context.explain,
    )


def _write_trials(context: StudyContext, study: Study, trials: Sequence[Trial]) -> str:
    with context.units() as unit:
        unit.studies.write_trials(study.id, trials)
        unit.commit()
    return _describe_trials(trials)


def _add_to_agenda(unit: UnitOfWork, study: Study, run: StudyRun) -> None:
    unit.studies.add_to_agenda(study.id, Stage.COMPARE, run.comparisons())
    unit.studies.add_to_agenda(study.id, Stage.SUPERVISED, run.supervised_jobs())


def _describe_trials(trials: Sequence[Trial]) -> str:
    def describe(trial: Trial) -> str:
        figure = f"ARI {trial.ari.mean:.3f}" if trial.ari else str(trial.reason)
        return f"{trial.extractor} {trial.protocol}: {figure}"

    return "; ".join(map(describe, trials))


def _describe_comparison(name: str, results: Sequence[ClusteringResult]) -> str:
    done = sum(result.status is TrialStatus.DONE for result in results)
    return f"{name}: {done} of {len(results)} clusterings compared"


def _describe_figures(figures: SupervisedFigures) -> str:
    accuracy = figures.accuracy
    return f"{figures.extractor}: " + (f"accuracy {accuracy.mean:.3f}" if accuracy else str(figures.reason))


def _folder(context: StudyContext, study: Study) -> StudyFolder:
    return StudyFolder(context.storage, study_key(study.id))


def _evidence(content: Content) -> Evidence:
    return Evidence(content.name, content.description, content.attributes)


def _fetch_photos(photos: Photos, chosen: Sequence[Candidate], progress: Progress) -> list[str | None]:
    """The storage keys of the photos; missing photos are fetched, and None if that fails."""

    def fetch(candidate: Candidate) -> str | None:
        if candidate.photo is not None or candidate.reference is None:
            return candidate.photo
        try:
            return photos.fetch(candidate.reference).storage_key
        except (PermanentFailure, AddressUnavailable):
            return None

    keys: list[str | None] = []
    with ThreadPoolExecutor(READ_THREADS) as pool:
        for key in pool.map(fetch, chosen):
            keys.append(key)
            progress(len(keys) / len(chosen), "fetching the photos")
    return keys


def _read_photo(photos: Photos, key: str) -> bytes | None:
    """The bytes of a stored photo, or None if it is gone; raises TransientFailure if the storage is unavailable."""
    try:
        return photos.fetch(key).content
    except PermanentFailure:
        return None

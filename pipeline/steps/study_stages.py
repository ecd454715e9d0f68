"""Assess: the stages of a study as jobs, over ports: sample, trial, combine, compare, supervised, conclude.

Each call does the work of one job and may be repeated: what is done already is found in the study's folder. The next
stage's jobs are inserted where the last job of a stage ends (``Claims.end_run``), not here.
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
from pipeline.domain.listing import Content, Evidence
from pipeline.domain.prediction import Modality
from pipeline.domain.study import (
    ADVANCE,
    PLAN,
    Candidate,
    Feasibility,
    Stage,
    Study,
    StudyStatus,
    TrialStatus,
    study_key,
)
from pipeline.features import pretrained_weights
from pipeline.ports.services import ObjectStorage, Photos
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork
from pipeline.steps.studies import ENOUGH_LISTINGS, begin_due_studies
from pipeline.study.dataset import READ_THREADS, StudyDataset, WithPhotos
from pipeline.study.stored_features import StoredFeatures
from pipeline.study.study_folder import WORK, StudyFolder
from pipeline.study.study_run import Progress, StudyRun, chosen_extractors
from pipeline.study.study_steps import StudySteps

SAMPLE = "sample.json"


@dataclass(frozen=True, slots=True)
class StudyContext:
    """What assessing needs from outside. ``explain`` puts an unforeseen error into a sentence."""

    units: UnitsOfWork
    storage: ObjectStorage
    photos: Photos
    weights_path: Callable[[str], Path]
    methods: StudySteps
    explain: Callable[[Exception], str]


def run_study_job(by: StudyContext, payload: Mapping[str, Any], progress: Progress) -> str:
    """Do the work of one job of a study; returns a sentence on how it ended.

    Raises TransientFailure for what may pass, anything else for what only a person can mend.
    """
    if payload["stage"] == PLAN:
        return plan_studies(by, int(payload["period"]))
    with by.units() as unit:
        study = unit.studies.read(int(payload["study_id"]))
    if study.status is not StudyStatus.RUNNING:
        return f"study {study.id} has ended already"
    if payload["stage"] == ADVANCE:
        return go_on_without(by, study, Stage(payload["of"]), payload.get("name"), str(payload["reason"]))
    stage = Stage(payload["stage"])
    if stage is Stage.SAMPLE:
        return sample(by, study, progress)
    course = open_course(by, study)
    if stage is Stage.TRIAL:
        return _write(by, study, course.try_extractor(str(payload["name"]), progress))
    if stage is Stage.COMBINE:
        return combine(by, study, course, progress)
    if stage is Stage.COMPARE:
        return course.compare(str(payload["name"]), progress)
    if stage is Stage.SUPERVISED:
        return course.judge(str(payload["name"]), progress)
    return conclude(by, study, course, progress)


def plan_studies(by: StudyContext, period: int) -> str:
    """The studies of a period: one of every taxonomy with enough labelled listings, unless one runs."""
    begun = begin_due_studies(by.units, period)
    if begun:
        return f"began {', '.join(f'study {study_id}' for study_id in begun)}"
    return f"nothing to begin: no taxonomy with {ENOUGH_LISTINGS} labelled listings is without a study of this period"


def sample(by: StudyContext, study: Study, progress: Progress) -> str:
    """Draw the listings and fix them by their revisions; a study that cannot be ends with the reason."""
    with by.units() as unit:
        candidates = unit.studies.candidates(study.taxonomy_id)
    try:
        extractors = {name: extractor_spec(name).modality for name in chosen_extractors(study.plan)}
        drawn = by.methods.draw([candidate.category for candidate in candidates], study.plan)
    except InvalidInput as error:
        with by.units() as unit:
            unit.studies.fail(study.id, str(error))
            unit.commit()
        return str(error)
    chosen = [candidates[index] for index in drawn.chosen]
    photos = _fix_photos(by.photos, chosen, progress)
    revision_ids = [candidate.revision_id for candidate in chosen]
    with by.units() as unit:
        texts = [_evidence(content) for content in unit.studies.contents(revision_ids)]
    names = [drawn.categories[label] for label in drawn.labels]
    digests = [photo and photo.rpartition("/")[2] for photo in photos]
    fingerprint = by.methods.fingerprint([candidate.key for candidate in chosen], texts, digests, names)
    frozen = {
        "level": drawn.level,
        "categories": list(drawn.categories),
        "labels": drawn.labels,
        "fingerprint": fingerprint,
        "listings": len(candidates),
        "keys": [candidate.key for candidate in chosen],
        "listing_ids": [candidate.listing_id for candidate in chosen],
        "revision_ids": revision_ids,
        "photos": photos,
        "paths": [candidate.category for candidate in chosen],
        "attributions": [candidate.attribution for candidate in chosen],
    }
    _folder(by, study).write_json(SAMPLE, frozen)
    facts = {
        "fingerprint": fingerprint,
        "level": drawn.level,
        "categories": len(drawn.categories),
        "listings": len(candidates),
        "studied": len(chosen),
    }
    with by.units() as unit:
        unit.studies.freeze(study.id, facts, extractors)
        unit.commit()
    return f"{len(chosen)} of {len(candidates)} listings in {len(drawn.categories)} categories"


def combine(by: StudyContext, study: Study, course: StudyRun, progress: Progress) -> str:
    """Text and photo together; then the jobs that compare and the supervised ones are known too."""
    rows = course.combine(progress)
    with by.units() as unit:
        unit.studies.write_trials(study.id, rows)
        _add_to_agenda(unit, study, course)
        unit.commit()
    return _ending(rows) if rows else "there is no pair of text and image features to combine"


def conclude(by: StudyContext, study: Study, course: StudyRun, progress: Progress) -> str:
    """The report and its files, then the verdict in the record: whoever sees a study done finds its files."""
    report = course.conclude(study.taxonomy, study.created_at, study.past, progress, study_id=study.id)
    with by.units() as unit:
        unit.studies.conclude(study.id, Feasibility(report["verdict"]), best_of(report["trials"]))
        unit.commit()
    course.folder.clear(WORK)
    return f"{report['verdict'].replace('_', ' ')}: {len(course.studied.labels)} listings"


def go_on_without(by: StudyContext, study: Study, stage: Stage, name: str | None, reason: str) -> str:
    """A job of the study was given up: its trial has failed, or the study when nothing can be had without it."""
    if stage in (Stage.SAMPLE, Stage.CONCLUDE) or (stage is Stage.TRIAL and name is None):
        with by.units() as unit:
            unit.studies.fail(study.id, reason)
            unit.commit()
        return f"study {study.id} has failed: {reason}"
    course = open_course(by, study)
    if stage is Stage.COMPARE:
        course.give_up_comparing(str(name), reason)
        return f"{name} could not be compared: {reason}"
    if stage is Stage.SUPERVISED:
        course.folder.write_judged(str(name), by.methods.unjudged(str(name), TrialStatus.FAILED, reason))
        return f"{name} has failed: {reason}"
    if stage is Stage.TRIAL:
        modality = extractor_spec(str(name)).modality
    else:
        name, modality = course.give_up_combining(), Modality.FUSED
        with by.units() as unit:
            _add_to_agenda(unit, study, course)
            unit.commit()
    rows = list(by.methods.unavailable(name, modality, TrialStatus.FAILED, reason))
    return _write(by, study, course.keep_trial(str(name), rows))


def open_course(by: StudyContext, study: Study) -> StudyRun:
    """The course of a study over its frozen listings; a deleted listing has lost its texts, and stays in its row."""
    folder = _folder(by, study)
    frozen = folder.read_json(SAMPLE)
    if frozen is None:
        raise PermanentFailure(f"the sample of study {study.id} is gone from the storage; start another study")
    with by.units() as unit:
        texts = [_evidence(content) for content in unit.studies.contents(frozen["revision_ids"])]
    studied = StudyDataset(
        level=frozen["level"],
        categories=tuple(frozen["categories"]),
        labels=np.array(frozen["labels"], np.int64),
        fingerprint=frozen["fingerprint"],
        listings=frozen["listings"],
        keys=frozen["keys"],
        listing_ids=frozen["listing_ids"],
        texts=texts,
        photos=WithPhotos(texts, frozen["photos"], lambda key: _photo(by.photos, key)),
        # A study begun by an earlier program has none.
        paths=frozen.get("paths", ()),
        attributions=frozen.get("attributions", ()),
    )
    return StudyRun(
        plan=study.plan,
        studied=studied,
        folder=folder,
        store=StoredFeatures(by.storage, str(study.taxonomy_id)),
        weights=lambda name: pretrained_weights.find_weights(name, by.weights_path),
        methods=by.methods,
        explain=by.explain,
    )


def best_of(trials: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """The best mean ARI under protocol B of each modality; None where no trial was done."""
    best: dict[str, float | None] = {modality.value: None for modality in Modality}
    for row in trials:
        if row["protocol"] == "B" and row["status"] == TrialStatus.DONE and row.get("ari"):
            known, found = best[row["modality"]], float(row["ari"]["mean"])
            best[row["modality"]] = found if known is None else max(known, found)
    return best


def _write(by: StudyContext, study: Study, rows: Sequence[Mapping[str, Any]]) -> str:
    with by.units() as unit:
        unit.studies.write_trials(study.id, rows)
        unit.commit()
    return _ending(rows)


def _add_to_agenda(unit: UnitOfWork, study: Study, course: StudyRun) -> None:
    unit.studies.add_to_agenda(study.id, Stage.COMPARE, course.comparisons())
    unit.studies.add_to_agenda(study.id, Stage.SUPERVISED, course.jobs())


def _ending(rows: Sequence[Mapping[str, Any]]) -> str:
    def told(row: Mapping[str, Any]) -> str:
        found = f"ARI {row['ari']['mean']:.3f}" if row.get("ari") else row["reason"]
        return f"{row['extractor']} {row['protocol']}: {found}"

    return "; ".join(told(row) for row in rows)


def _folder(by: StudyContext, study: Study) -> StudyFolder:
    return StudyFolder(by.storage, study_key(study.id))


def _evidence(content: Content) -> Evidence:
    return Evidence(content.name, content.description, content.attributes)


def _fix_photos(photos: Photos, chosen: Sequence[Candidate], progress: Progress) -> list[str | None]:
    """The storage keys of the photos; those that nobody has fetched yet are fetched now, or left out."""

    def fix(candidate: Candidate) -> str | None:
        if candidate.photo is not None or candidate.reference is None:
            return candidate.photo
        try:
            return photos.fetch(candidate.reference).storage_key
        except (PermanentFailure, AddressUnavailable):
            return None

    keys: list[str | None] = []
    with ThreadPoolExecutor(READ_THREADS) as pool:
        for key in pool.map(fix, chosen):
            keys.append(key)
            progress(len(keys) / len(chosen), "fixing the photos")
    return keys


def _photo(photos: Photos, key: str) -> bytes | None:
    """The bytes of a stored photo, or None when it is gone; a storage that is away is waited for."""
    try:
        return photos.fetch(key).content
    except PermanentFailure:
        return None

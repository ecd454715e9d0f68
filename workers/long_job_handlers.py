"""Handlers of long jobs: train a model version, study a catalogue, propose rules, purge old rows."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from infra.store.listings.labelled_listings import labelled_listings
from infra.store.models import active_manifest
from infra.store.rules.proposal_evidence import read_proposal_inputs
from infra.store.studies.queries import latest_study
from infra.store.taxonomies.queries import category_entries, retired_paths, taxonomy_name
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import BadArtefact, NotFound
from pipeline.domain.job import JobKind
from pipeline.domain.progress import stage
from pipeline.domain.study import study_key
from pipeline.domain.training import TrainingRequest
from pipeline.steps import retention
from pipeline.steps.models import save_version
from pipeline.steps.retire_categories import without_retired
from pipeline.steps.rules import save_proposals
from pipeline.steps.train import (
    PreviousExtractors,
    TrainingPlan,
    default_extractors,
    read_examples,
    train_version,
)
from workers.bootstrap import WorkerContext
from workers.long_job_runner import progress_reporter

LIKELY_SCORE = 0.8  # minimum confidence of a proposal that is counted as likely


def handle_long_job(context: WorkerContext, job: ClaimedLongJob) -> str:
    """Handle a long job according to its kind; returns a sentence that describes the result."""
    if job.kind is JobKind.PURGE:
        return purge(context)
    if job.kind is JobKind.STUDY:
        # Imported here: a training does not need the libraries of a study.
        from workers.study_jobs import run_job

        return run_job(context, job, progress_reporter(context, job))
    if job.kind is JobKind.MAP:
        return propose(context, job)
    return train(context, job)


def purge(context: WorkerContext) -> str:
    """Delete rows and studies that have expired according to the settings; returns a sentence with the counts."""
    deleted = retention.purge(context.units, context.storage, context.settings.retention_policy())
    return "purged " + ", ".join(f"{count} {name}" for name, count in deleted.items())


def propose(context: WorkerContext, job: ClaimedLongJob) -> str:
    """Propose rules for the source of the job, replacing earlier proposals; returns a sentence with the counts."""
    # Imported here: a training does not need the libraries of proposals.
    from pipeline.category_mapping.rule_proposals import MAX_TEXTS, propose_rules

    source_id, progress = int(job.payload["source_id"]), progress_reporter(context, job)
    progress(0.0, "reading the collected listings")
    with context.engine.connect() as connection:
        proposal_inputs = read_proposal_inputs(connection, source_id, MAX_TEXTS)
    if not proposal_inputs.counts_by_category:
        return "no listing of this source has categories there: nothing to propose"
    if not proposal_inputs.categories:
        return "the taxonomy of this source has no categories yet: nothing to propose"
    proposals = propose_rules(proposal_inputs, context.registry.weights_path, stage(progress, 0.1, 0.95))
    support = {name: counts.support for name, counts in proposal_inputs.counts_by_category.items()}
    n_added = save_proposals(context.units, source_id, proposals, support)
    n_likely = sum(rule.score >= LIKELY_SCORE for rule in proposals)
    return f"proposed {n_added} rules, {n_likely} of them with a confidence of {LIKELY_SCORE} or more"


def train(context: WorkerContext, job: ClaimedLongJob) -> str:
    """Train a model version for the taxonomy of the job; promote it if requested or if no version is active."""
    taxonomy_id, request = int(job.payload["taxonomy_id"]), TrainingRequest.of_json(job.payload)
    progress = progress_reporter(context, job)
    progress(0.0, "reading the labelled listings")
    with context.engine.connect() as connection:
        retired = retired_paths(connection, taxonomy_id)
        listings = list(without_retired(labelled_listings(connection, taxonomy_id), retired))
        taxonomy = taxonomy_name(connection, taxonomy_id)
        entries = category_entries(connection, taxonomy_id, with_retired=False)
    examples = read_examples(listings, context.photos, stage(progress, 0.0, 0.2))
    requested_extractors = request.image_extractors or context.settings.photo_extractors_wanted()
    options = request.options(
        requested_extractors or extractors_to_use(context, taxonomy_id),
        precision_target=context.settings.precision_target,
        network_precision=context.settings.serving_precision,
        prune_extractors=not requested_extractors,
    )
    trained = train_version(
        examples,
        TrainingPlan(taxonomy, options, request.choose, entries),
        context.registry.weights_path,
        stage(progress, 0.2, 0.95),
        None if request.afresh else previous_extractors(context, taxonomy_id),
    )
    artefacts = f"{taxonomy_id}-{uuid.uuid4().hex}"
    digests = context.registry.save(artefacts, trained.model.files())
    manifest = {**trained.manifest, "files": dict(digests), "artefacts": artefacts, "training": job.job_id}
    saved = save_version(context.units, taxonomy_id, manifest, promote=request.promote)
    version = f"model version {saved.number} of {taxonomy} (id {saved.model_id})"
    scope = describe_training_set(trained.manifest, requested_level=request.level)
    if saved.requeued is None:
        return f"{version} is a candidate; promote it when you are satisfied with it. {scope}"
    return f"{version} is active; {saved.requeued} listings are decided again. {scope}"


def describe_training_set(manifest: Mapping[str, Any], *, requested_level: int | None) -> str:
    """The levels, categories and listings that a version was trained on."""
    level = manifest["level"]
    levels = [row["level"] for row in (manifest.get("hierarchy") or {}).get("levels", ())]
    if len(levels) > 1:
        where = f"of levels {levels[0]} to {levels[-1]}"
    else:
        where = f"of level {level} ({'as requested' if requested_level else 'the only one'})"
    return f"It was trained on {manifest['listings']} listings in {len(manifest['thresholds'])} categories {where}"


def previous_extractors(context: WorkerContext, taxonomy_id: int) -> PreviousExtractors | None:
    """The photo extractors of the active version; None if there is none, or if it cannot be read."""
    with context.engine.connect() as connection:
        manifest = active_manifest(connection, taxonomy_id) or {}
    try:
        model = TrainedModel.from_files(context.registry.load(manifest["artefacts"], manifest["files"]))
    except (KeyError, NotFound, BadArtefact):
        return None
    learned_on = manifest.get("learned_on", manifest.get("listings", 0))
    return PreviousExtractors(model.reader.extractors, int(learned_on)) if model.image else None


def extractors_to_use(context: WorkerContext, taxonomy_id: int) -> tuple[str, ...]:
    """The photo extractors to try when neither the training nor the settings name any: the default ones and the best of
    the latest study.
    """
    with context.engine.connect() as connection:
        study_id = latest_study(connection, taxonomy_id)
    if study_id is None:
        return default_extractors(None, context.registry.weights_path)
    try:
        report = json.loads(context.storage.get(study_key(study_id, "report.json")))
    except NotFound:
        report = None
    return default_extractors(report, context.registry.weights_path)

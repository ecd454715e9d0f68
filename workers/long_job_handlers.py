"""What long jobs do: train a model version, study a catalogue, map categories, purge old rows."""

from __future__ import annotations

import json
import uuid

from infra.store import retention
from infra.store.listings.labels import labelled_listings
from infra.store.models.queries import find_model
from infra.store.models.repository import SqlModels
from infra.store.studies.queries import latest_study
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import BadArtefact, NotFound
from pipeline.domain.job import JobKind
from pipeline.domain.study import study_key
from pipeline.steps.train import Former, Recipe, default_extractors, read_examples, train_version
from workers.bootstrap import WorkerContext
from workers.job_runner import progress_reporter


def do(context: WorkerContext, run: ClaimedLongJob) -> str:
    """The work of a run, by its kind; returns a sentence on how it ended."""
    if run.kind is JobKind.PURGE:
        return purge(context)
    if run.kind is JobKind.STUDY:
        # A training does without the libraries of a study.
        from workers.study_jobs import study

        return study(context, run, progress_reporter(context, run))
    if run.kind is JobKind.MAP:
        from workers.rule_proposals import map_categories

        return map_categories(context, run, progress_reporter(context, run))
    return train(context, run)


def purge(context: WorkerContext) -> str:
    """Remove what is older than the settings keep it; a study's files go before its row."""
    counts = retention.purge(context.engine, {name: getattr(context.settings, name) for name in retention.SETTINGS})
    with context.engine.connect() as connection:
        old = retention.old_studies(connection, context.settings.keep_studies)
    for study_id in old:
        for found in list(context.storage.keys(study_key(study_id))):
            context.storage.delete(found.key)
        with context.engine.begin() as connection:
            retention.forget_study(connection, study_id)
    counts["studies"] = len(old)
    return "purged " + ", ".join(f"{n} {table}" for table, n in counts.items())


def train(context: WorkerContext, run: ClaimedLongJob) -> str:
    """Train a candidate for the taxonomy of the run, and promote it when there is no active one (or as asked)."""
    taxonomy_id = int(run.payload["taxonomy_id"])
    report = progress_reporter(context, run)
    report(0.0, "reading the labelled listings")
    with context.engine.connect() as connection:
        listings = list(labelled_listings(connection, taxonomy_id))
        taxonomy = connection.exec_driver_sql("SELECT name FROM taxonomies WHERE id = %s", (taxonomy_id,)).scalar_one()
    examples = read_examples(listings, context.photos, lambda share: report(0.2 * share, "reading the photos"))
    recipe = Recipe(
        taxonomy=taxonomy,
        level=run.payload.get("level"),
        image_extractors=tuple(run.payload.get("image_extractors") or usual_extractors(context, taxonomy_id)),
        choose=run.payload.get("choose"),
        views=int(run.payload.get("views", 0)),
        finetune=bool(run.payload.get("finetune")),
        seed=int(run.payload.get("seed", 0)),
        precision_target=context.settings.precision_target,
        computing=context.settings.serving_precision,
    )
    trained = train_version(
        examples,
        recipe,
        context.registry.weights_path,
        lambda share, note: report(0.2 + 0.75 * share, note),
        None if run.payload.get("afresh") else former_version(context, taxonomy_id),
    )
    artefacts = f"{taxonomy_id}-{uuid.uuid4().hex}"
    digests = context.registry.save(artefacts, trained.model.files())
    manifest = {**trained.manifest, "files": dict(digests), "artefacts": artefacts, "training": run.job_id}
    with context.engine.begin() as connection:
        models = SqlModels(connection)
        number = models.next_number(taxonomy_id)
        first = models.active(taxonomy_id) is None
        model_id = models.add(taxonomy_id, number, manifest)
        if not (first or run.payload.get("promote")):
            return f"model version {number} of {taxonomy} (id {model_id}) is a candidate; promote it when it convinces"
        requeued = models.promote(model_id)
    return f"model version {number} of {taxonomy} (id {model_id}) is active; {requeued} listings are decided anew"


def former_version(context: WorkerContext, taxonomy_id: int) -> Former | None:
    """What the active version knows of photos; None when there is none, or it cannot be read."""
    with context.engine.connect() as connection:
        active = SqlModels(connection).active(taxonomy_id)
        found = None if active is None else find_model(connection, active)
    manifest = found["manifest"] if found else {}
    try:
        model = TrainedModel.from_files(context.registry.load(manifest["artefacts"], manifest["files"]))
    except (KeyError, NotFound, BadArtefact):
        return None
    learned_on = manifest.get("learned_on", manifest.get("listings", 0))
    return Former(model.reader.extractors, int(learned_on)) if model.image else None


def usual_extractors(context: WorkerContext, taxonomy_id: int) -> tuple[str, ...]:
    """What photos are described by where nobody says: as the settings say, else the best of the latest study."""
    if wanted := context.settings.photo_extractors_wanted():
        return wanted
    with context.engine.connect() as connection:
        study_id = latest_study(connection, taxonomy_id)
    if study_id is None:
        return default_extractors(None, context.registry.weights_path)
    try:
        report = json.loads(context.storage.get(study_key(study_id, "report.json")))
    except NotFound:
        report = None
    return default_extractors(report, context.registry.weights_path)

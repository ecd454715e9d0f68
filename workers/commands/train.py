"""The command that trains a model version, on a worker or in this process."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from infra.store.jobs.queries import count_open_jobs, open_jobs_of_taxonomy
from infra.store.models import ModelDetails, find_model
from infra.store.taxonomies.queries import find_taxonomy
from infra.store.trainings import find_training, latest_trainings
from pipeline.domain.errors import Conflict, InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.extractors import check_photo_extractors
from pipeline.domain.job import JobState, Queue
from pipeline.domain.model_version import ModelStatus
from pipeline.domain.training import TrainingRequest, check_levels
from pipeline.steps.trainings import cancel_training, request_training
from workers.bootstrap import WorkerContext
from workers.commands.await_jobs import follow, start_here, wait_for_worker, wait_until_decided
from workers.commands.command_context import open_context
from workers.commands.metric_tables import (
    print_comparisons,
    print_extractor_sets,
    print_hierarchy,
    print_metrics,
    print_similar_categories,
)
from workers.commands.options import MAX_SEED, LevelOption, MinLevelOption
from workers.commands.terminal import AsJson, print_json, print_line

NO_WORKER = (
    "no worker that trains is alive: start one with 'rayon up' or 'rayon worker --role train', or train in this "
    "process with --here"
)
# Fields of the manifest in the JSON output: the extractors of photos, the comparisons, and categories to merge.
MANIFEST_FIELDS = ("image_extractors", "tried", "augmentation", "finetuning", "fused_less_text", "similar_categories")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    taxonomy: Annotated[str, typer.Option(help="which taxonomy; may be left out if there is only one")] = "",
    level: LevelOption = None,
    min_level: MinLevelOption = 1,
    *,
    image_extractor: Annotated[
        list[str] | None,
        typer.Option(
            help="fisher, efficientnet, squeezenet, vgg16; may be repeated; by default fisher, efficientnet and the "
            "best of the latest study, as far as they help"
        ),
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="compare sets of photo extractors on the same folds and choose one")
    ] = False,
    choose: Annotated[
        str,
        typer.Option(
            help="with --images: fastest, best, or the best within this number of ms per photo", metavar="CHOICE"
        ),
    ] = "best",
    views: Annotated[
        int, typer.Option(min=0, max=20, help="augmented views of each training photo, used if they help")
    ] = 0,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="try a network with its last block fine-tuned, kept if it helps")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="the same seed and listings give the same model")] = 0,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="do not reuse the photo features of the active version")
    ] = False,
    promote: Annotated[bool, typer.Option("--promote", help="make it active, even if another version is")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="cancel the training that waits or runs")] = False,
    here: Annotated[bool, typer.Option("--here", help="train in this process, without a worker")] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="do not wait for the listings that it decides again")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model version on all labelled listings; the first one of a taxonomy becomes active."""
    choice = _choice(choose, image_extractor) if images else None
    check_levels(level, min_level)
    context = open_context("train")
    if cancel:
        _cancel(context, taxonomy, as_json=as_json)
        return
    extractors = image_extractor or () if images else image_extractor or context.settings.photo_extractors_wanted()
    check_photo_extractors(extractors, lambda name: context.registry.weights_digest(name) is not None)
    with context.engine.connect() as connection:
        chosen_taxonomy = find_taxonomy(connection, taxonomy or None)
    if not here and not wait_for_worker(context, Queue.TRAINING):
        raise Unavailable(NO_WORKER)
    request = TrainingRequest(
        level=level,
        min_level=min_level,
        image_extractors=tuple(image_extractor or ()),
        choose=choice,
        views=views,
        finetune=finetune,
        seed=seed,
        afresh=afresh,
        promote=promote,
    )
    job_id = request_training(context.units, chosen_taxonomy.id, request).id
    trainer = None
    if here:
        trainer = start_here(context, job_id, "a worker is training this taxonomy already; follow it without --here")
    job = follow(context, job_id, trainer, "the training")
    version = _trained_version(context, job_id) if job.state is JobState.DONE else None
    if version is None:
        raise PermanentFailure(f"the training of {chosen_taxonomy.name} ended without a model: {job.note}")
    requeued_ids: list[int] = []
    if version.status is ModelStatus.ACTIVE:
        with context.engine.connect() as connection:
            requeued_ids = open_jobs_of_taxonomy(connection, chosen_taxonomy.id)
    if not as_json:
        print_extractor_sets(version.manifest)
        print_line(job.note)
        print_metrics(version.metrics)
        print_hierarchy(version.manifest)
        print_comparisons(version.manifest)
        print_similar_categories(version.manifest)
    n_waiting = 0
    if requeued_ids and not no_wait:
        n_waiting = wait_until_decided(context, partial(count_open_jobs, job_ids=requeued_ids), len(requeued_ids))
        if not as_json:
            print_line(
                f"{len(requeued_ids) - n_waiting} listings are decided"
                + (f", {n_waiting} still wait" if n_waiting else "")
            )
    if as_json:
        fields = {name: value for name, value in asdict(version).items() if name != "manifest"}
        result: dict[str, Any] = {**fields, "note": job.note, "requeued": len(requeued_ids)}
        result |= {name: version.manifest.get(name) for name in MANIFEST_FIELDS}
        print_json(result if no_wait else {**result, "waiting": n_waiting})
    if n_waiting:
        raise typer.Exit(1)


def _cancel(context: WorkerContext, taxonomy: str, *, as_json: bool) -> None:
    with context.engine.connect() as connection:
        chosen = find_taxonomy(connection, taxonomy or None)
        training = latest_trainings(connection).get(chosen.name)
    if training is None or training.ended_at is not None:
        raise Conflict(f"no training of {chosen.name} waits or runs: there is nothing to cancel")
    cancel_training(context.units, training.id, "the command line")
    if as_json:
        print_json({"training": training.id, "cancelled": True})
    else:
        print_line(f"the training {training.id} of {chosen.name} is cancelled; no version will be saved")


def _trained_version(context: WorkerContext, job_id: int) -> ModelDetails | None:
    with context.engine.connect() as connection:
        training = find_training(connection, job_id)
        return None if training is None or training.model_id is None else find_model(connection, training.model_id)


def _choice(choose: str, image_extractor: list[str] | None) -> str:
    """Check the option --choose; InvalidInput if it is invalid, or if extractors are given as well."""
    from pipeline.classification.extractor_selection import BEST, FASTEST, parse_budget

    if image_extractor:
        raise InvalidInput("--images tries sets of extractors itself: leave out --image-extractor, or --images")
    if choose not in (BEST, FASTEST):
        parse_budget(choose)
    return choose

"""The command that trains a model version, by a worker or in this process."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from infra.store.jobs.long_jobs import request_training
from infra.store.jobs.queries import count_open, open_jobs_of_taxonomy
from infra.store.models.queries import find_model, list_models
from infra.store.taxonomies.repository import find_taxonomy
from pipeline.domain.errors import InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.extractors import check_photo_extractors
from pipeline.domain.job import JobState, Queue
from workers.commands.job_waiting import follow, start_here, wait_for_worker, wait_until_decided
from workers.commands.model_figures import say_figures, say_tried, say_views
from workers.commands.options import MAX_SEED, LevelOption
from workers.commands.terminal import AsJson, open_context, say, say_json

NOBODY = (
    "no worker that trains is alive: start one with 'rayon up' or 'rayon worker --role train', or train in this "
    "process with --here"
)
# Of the manifest, beside the figures: what photos are described by, and what was tried for them.
TOLD = ("image_extractors", "tried", "augmentation", "finetuning", "fused_less_text")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    taxonomy: Annotated[str, typer.Option(help="which taxonomy; not needed when there is one")] = "",
    level: LevelOption = None,
    image_extractor: Annotated[
        list[str] | None,
        typer.Option(help="fisher, squeezenet, vgg16; may be repeated; by default the latest study's best for photos"),
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="try the sensible sets of photo extractors on the same folds, and choose")
    ] = False,
    choose: Annotated[
        str, typer.Option(help="with --images: fastest, best, or the best within so many ms a photo", metavar="CHOICE")
    ] = "best",
    views: Annotated[
        int, typer.Option(min=0, max=20, help="changed views of each photo to learn from, kept where that helps")
    ] = 0,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="try a network with its last block fine-tuned, kept where that helps")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="the same seed and listings give the same model")] = 0,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="learn anew what photos look like, not on from the active version")
    ] = False,
    promote: Annotated[bool, typer.Option("--promote", help="make it active, even if another one is")] = False,
    here: Annotated[bool, typer.Option("--here", help="train in this process, without a worker")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="do not wait for the listings it decides anew")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model version on all labelled listings; the first one of a taxonomy becomes active."""
    wish = _wish(choose, image_extractor) if images else None
    context = open_context("train")
    named = image_extractor or () if images else image_extractor or context.settings.photo_extractors_wanted()
    check_photo_extractors(named, lambda name: context.registry.weights_digest(name) is not None)
    with context.engine.connect() as connection:
        taxonomy_id, taxonomy_name = find_taxonomy(connection, taxonomy or None)
        known = {version["id"] for version in list_models(connection, taxonomy=taxonomy_name)}
    if not here and not wait_for_worker(context, Queue.TRAINING):
        raise Unavailable(NOBODY)
    payload: dict[str, Any] = {"level": level, "seed": seed, "promote": promote, "views": views, "choose": wish}
    payload |= {"finetune": finetune, "afresh": afresh}
    payload |= {"image_extractors": image_extractor} if image_extractor else {}
    with context.engine.begin() as connection:
        job_id, _ = request_training(connection, taxonomy_id, payload)
    trainer = None
    if here:
        trainer = start_here(context, job_id, "a worker is training this taxonomy already; follow it without --here")
    run = follow(context, job_id, trainer, "the training")
    if run.state is not JobState.DONE:
        raise PermanentFailure(f"the training of {taxonomy_name} ended without a model: {run.note}")
    with context.engine.connect() as connection:
        made = next(v for v in list_models(connection, taxonomy=taxonomy_name) if v["id"] not in known)
        manifest = (find_model(connection, made["id"]) or {}).get("manifest", {})
        requeued = open_jobs_of_taxonomy(connection, taxonomy_id) if made["status"] == "active" else []
    if not as_json:
        say_tried(manifest)
        say(run.note)
        say_figures(made["metrics"])
        say_views(manifest)
    left = 0
    if requeued and not no_wait:
        left = wait_until_decided(context, partial(count_open, job_ids=requeued), len(requeued))
        if not as_json:
            say(f"{len(requeued) - left} listings are decided" + (f", {left} still wait" if left else ""))
    if as_json:
        result: dict[str, Any] = {**made, "note": run.note, "requeued": len(requeued)}
        result |= {name: manifest.get(name) for name in TOLD}
        say_json(result if no_wait else {**result, "waiting": left})
    if left:
        raise typer.Exit(1)


def _wish(choose: str, image_extractor: list[str] | None) -> str:
    """The choice, once it is known to be one; InvalidInput for another, and beside extractors that are given."""
    from pipeline.classification.extractor_selection import BEST, FASTEST, parse_budget

    if image_extractor:
        raise InvalidInput("--images tries sets of extractors by itself: leave --image-extractor out, or --images")
    if choose not in (BEST, FASTEST):
        parse_budget(choose)
    return choose

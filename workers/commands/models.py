"""Commands on model versions: list, show, promote, roll back; ``pretrained_weights`` has the commands fetch and add."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from infra.store.models import find_model, list_models
from infra.store.taxonomies.queries import find_taxonomy
from pipeline.domain.bundled_weights import all_bundled_weights
from pipeline.domain.errors import NotFound
from pipeline.steps import models as use_cases
from workers.commands.command_context import open_context
from workers.commands.metric_tables import print_hierarchy, print_metrics
from workers.commands.options import group
from workers.commands.pretrained_weights import add, fetch
from workers.commands.terminal import AsJson, print_json, print_line, print_table

models = group("models", "Model versions: list, show, promote, rollback; fetch or add the weights of a network.")
ModelId = Annotated[int, typer.Argument(metavar="ID", help="the id that 'models list' shows")]


models.command()(fetch)
models.command()(add)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(models)


@models.command("list")
def list_(
    taxonomy: Annotated[str, typer.Option(help="only versions of this taxonomy")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """List model versions, newest first, with their held-out accuracy."""
    with open_context("models").engine.connect() as connection:
        versions = list_models(connection, taxonomy=find_taxonomy(connection, taxonomy).name if taxonomy else None)
    if as_json:
        print_json([asdict(version) for version in versions])
        return
    if not versions:
        print_line("there is no model version yet; train one with 'rayon train'")
        _print_bundled_weights()
        return
    rows = []
    for version in versions:
        fused = version.metrics["fused"] or {}
        rows.append(
            (
                version.id,
                version.taxonomy,
                version.number,
                version.status,
                f"{version.created_at:%Y-%m-%d %H:%M}",
                version.level,
                *(f"{fused[name]:.3f}" if fused.get(name) is not None else "" for name in ("accuracy", "coverage")),
            )
        )
    print_table(("id", "taxonomy", "version", "status", "trained", "level", "accuracy", "coverage"), rows)
    _print_bundled_weights()


def _print_bundled_weights() -> None:
    """Print which pretrained networks came with the installation, whose they are, and their licence."""
    for weights in all_bundled_weights():
        print_line(f"the weights of {weights.extractor} come with the installation: {weights}")


@models.command()
def show(model_id: ModelId, *, as_json: AsJson = False) -> None:
    """Show what a model version was trained on and its accuracy on held-out listings."""
    with open_context("models").engine.connect() as connection:
        version = find_model(connection, model_id)
    if version is None:
        raise NotFound(f"there is no model version {model_id}; see: rayon models list")
    if as_json:
        print_json(asdict(version))
        return
    manifest = version.manifest
    print_line(f"version {version.number} of {version.taxonomy} (id {version.id}): {version.status}")
    if version.problem:
        print_line(f"this version of Rayon cannot read it: {version.problem}")
    for name in ("listings", "left_out", "level", "min_level", "target", "seconds", "fingerprint"):
        if (value := manifest.get(name)) not in (None, {}):
            text = ", ".join(f"{key} ({count})" for key, count in value.items()) if isinstance(value, dict) else value
            print_line(f"{name.replace('_', ' ')}: {text}")
    for name, network in (manifest.get("networks") or {}).items():
        print_line(f"{name} uses the number format {network['precision']}: {network['reason']}")
    print_metrics(manifest)
    print_hierarchy(manifest)


@models.command()
def promote(model_id: ModelId, *, as_json: AsJson = False) -> None:
    """Make a version the active one of its taxonomy; its listings are decided again."""
    requeued = use_cases.promote(open_context("models").units, model_id)
    if as_json:
        print_json({"id": model_id, "status": "active", "requeued": requeued})
    else:
        print_line(f"model version {model_id} is active; {requeued} listings are decided again")


@models.command()
def rollback(
    taxonomy: Annotated[str, typer.Option(help="which taxonomy; may be left out if there is only one")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Make the previously active version active again; its earlier decisions are shown again at once."""
    context = open_context("models")
    with context.engine.connect() as connection:
        found_taxonomy = find_taxonomy(connection, taxonomy or None)
    model_id = use_cases.roll_back(context.units, found_taxonomy.id)
    if as_json:
        print_json({"id": model_id, "taxonomy": found_taxonomy.name, "status": "active"})
    else:
        print_line(f"model version {model_id} of {found_taxonomy.name} is active again")

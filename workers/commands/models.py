"""Commands on model versions: list, show, promote, roll back; those on the weights of networks join them."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.store.models.queries import find_model, list_models
from infra.store.taxonomies.repository import find_taxonomy
from pipeline.domain.errors import NotFound
from pipeline.steps import models as step
from workers.commands.model_figures import say_figures
from workers.commands.options import group
from workers.commands.terminal import AsJson, open_context, say, say_json, say_table
from workers.commands.weights import add, fetch

models = group("models", "Model versions: list, show, promote, rollback; fetch or add the weights of a network.")
models.command()(fetch)
models.command()(add)
ModelId = Annotated[int, typer.Argument(metavar="ID", help="the id that 'models list' shows")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(models)


@models.command("list")
def list_(
    taxonomy: Annotated[str, typer.Option(help="of this taxonomy only")] = "",
    as_json: AsJson = False,
) -> None:
    """List model versions, newest first, with their held-out accuracy."""
    with open_context("models").engine.connect() as connection:
        found = list_models(connection, taxonomy=find_taxonomy(connection, taxonomy)[1] if taxonomy else None)
    if as_json:
        say_json(found)
        return
    if not found:
        say("there is no model version yet; train one with 'rayon train'")
        return
    rows = []
    for version in found:
        fused = version["metrics"]["fused"] or {}
        rows.append(
            (
                version["id"],
                version["taxonomy"],
                version["number"],
                version["status"],
                f"{version['created_at']:%Y-%m-%d %H:%M}",
                version["level"],
                *(f"{fused[name]:.3f}" if fused.get(name) is not None else "" for name in ("accuracy", "coverage")),
            )
        )
    say_table(("id", "taxonomy", "version", "status", "trained", "level", "accuracy", "coverage"), rows)


@models.command()
def show(model_id: ModelId, as_json: AsJson = False) -> None:
    """Show where a model version comes from and how well it did on listings it had not seen."""
    with open_context("models").engine.connect() as connection:
        version = find_model(connection, model_id)
    if version is None:
        raise NotFound(f"there is no model version {model_id}; see: rayon models list")
    if as_json:
        say_json(version)
        return
    manifest = version["manifest"]
    say(f"version {version['number']} of {version['taxonomy']} (id {version['id']}): {version['status']}")
    if version["problem"]:
        say(f"this version of Rayon cannot read it: {version['problem']}")
    for name in ("listings", "left_out", "level", "target", "seconds", "fingerprint"):
        if (told := manifest.get(name)) not in (None, {}):
            words = ", ".join(f"{part} ({count})" for part, count in told.items()) if isinstance(told, dict) else told
            say(f"{name.replace('_', ' ')}: {words}")
    for name, network in (manifest.get("networks") or {}).items():
        say(f"{name} computes in {network['precision']}: {network['reason']}")
    say_figures(manifest)


@models.command()
def promote(model_id: ModelId, as_json: AsJson = False) -> None:
    """Make a version the active one of its taxonomy; its listings are decided anew."""
    requeued = step.promote(open_context("models").units, model_id)
    if as_json:
        say_json({"id": model_id, "status": "active", "requeued": requeued})
    else:
        say(f"model version {model_id} is active; {requeued} listings are decided anew")


@models.command()
def rollback(
    taxonomy: Annotated[str, typer.Option(help="which taxonomy; not needed when there is one")] = "",
    as_json: AsJson = False,
) -> None:
    """Bring back the version that was active before; its earlier decisions show again at once."""
    context = open_context("models")
    with context.engine.connect() as connection:
        taxonomy_id, name = find_taxonomy(connection, taxonomy or None)
    model_id = step.rollback(context.units, taxonomy_id)
    if as_json:
        say_json({"id": model_id, "taxonomy": name, "status": "active"})
    else:
        say(f"model version {model_id} of {name} is active again")

"""The command that categorises one product with the active model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.store.models import active_model_id, find_model
from infra.store.taxonomies.queries import find_taxonomy, retired_paths
from pipeline.domain.decision import level_of, open_level
from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.reason import reason_fields
from workers.commands.command_context import open_context
from workers.commands.terminal import AsJson, print_json, print_line


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(categorise)


def categorise(
    name: Annotated[str, typer.Option(help="the product's name")] = "",
    description: Annotated[str, typer.Option(help="the product's description")] = "",
    attribute: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; may be repeated")] = None,
    image: Annotated[Path | None, typer.Option(help="the file of its photo")] = None,
    taxonomy: Annotated[str, typer.Option(help="which taxonomy; not needed when there is one")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Categorise one product with the active model; nothing is stored."""
    from workers.model_cache import ModelCache

    evidence = Evidence(name, description, attributes_of(attribute or []), _photo(image))
    context = open_context("categorise")
    with context.engine.connect() as connection:
        chosen_taxonomy = find_taxonomy(connection, taxonomy or None)
        model_id = active_model_id(connection, chosen_taxonomy.id)
        active_model = find_model(connection, model_id) if model_id is not None else None
        retired = retired_paths(connection, chosen_taxonomy.id)
    if active_model is None:
        advice = f"train one with: rayon train --taxonomy '{chosen_taxonomy.name}'"
        raise Unavailable(f"there is no model of '{chosen_taxonomy.name}' yet; {advice}")
    manifest = active_model.manifest
    started = time.perf_counter()
    model = ModelCache(context.registry)(ActiveModel(active_model.id, manifest["artefacts"], manifest["files"]))
    loaded_at = time.perf_counter()
    answer = model.answer([evidence], retired)[0]
    seconds = {"load": loaded_at - started, **answer.seconds, "answer": time.perf_counter() - loaded_at}
    decision = answer.decision
    predictions: dict[str, Any] = {
        prediction.modality.value: [
            {"category": ranked.category, "probability": round(ranked.probability, 6)} for ranked in prediction.ranked
        ]
        for prediction in (answer.text, answer.image, answer.fused)
        if prediction is not None
    }
    if as_json:
        print_json(
            {
                "status": decision.status.value,
                "category": decision.category,
                "confidence": decision.confidence,
                "level": level_of(decision.category),
                "open_level": open_level(decision.reason.as_json()),
                **reason_fields(decision.reason),
                "taxonomy": chosen_taxonomy.name,
                "model": {"id": active_model.id, "number": active_model.number},
                "image_problem": str(answer.image_problem) if answer.image_problem else None,
                "predictions": predictions,
                "seconds": {stage: round(spent, 6) for stage, spent in seconds.items()},
            }
        )
        return
    print_line(f"{decision.status.value.replace('_', ' ')}: {decision.category or 'no category'}")
    print_line(f"  {decision.reason}")
    for modality, ranked in predictions.items():
        print_line(f"{modality}:")
        for row in ranked:
            print_line(f"  {row['probability']:7.1%}  {row['category']}")
    print_line(
        f"model version {active_model.number} of {chosen_taxonomy.name}; "
        f"{seconds['answer']:.3f} s, {seconds['load']:.3f} s to load"
    )


def attributes_of(pairs: list[str]) -> dict[str, str]:
    """Parse ``KEY=VALUE`` pairs; InvalidInput names one that is not a pair."""
    attributes = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip():
            raise InvalidInput(f"'{pair}' is not an attribute; write it like colour=blue")
        attributes[key.strip()] = value.strip()
    return attributes


def _photo(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"the photo {path} cannot be read: {error.strerror}") from error

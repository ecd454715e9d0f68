"""The command that measures on catalogue files, without a stack or a database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.catalogue_files.catalogue import open_catalogue
from infra.catalogue_files.photos import PhotoFolder
from infra.catalogue_files.record import CatalogueRow
from pipeline.domain.errors import BadImage, InvalidInput
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.reason import Reason, reason_of
from workers.commands.import_pages import known_as
from workers.commands.model_figures import say_figures
from workers.commands.options import MAX_SEED, ColumnsOption, LevelOption, chosen_columns
from workers.commands.row_photos import photo_of_row
from workers.commands.terminal import AsJson, Report, progress_bar, remark, say, say_json

PHOTO_BYTES = 20_000_000
READING = 0.05  # the share of the time that reading the files takes, for the bar


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    file: Annotated[Path, typer.Argument(help="the catalogue to score: its listings need a category")],
    images: Annotated[Path | None, typer.Option(help="the folder of its photos")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="cross-validate in so many folds")] = None,
    train: Annotated[Path | None, typer.Option(help="the catalogue to train on; FILE is then scored")] = None,
    train_images: Annotated[Path | None, typer.Option(help="the folder of the photos to train on")] = None,
    split: Annotated[str, typer.Option(help="score the rows of this split of FILE, train on the others")] = "",
    level: LevelOption = None,
    image_extractor: Annotated[
        list[str] | None, typer.Option(help="fisher (default), squeezenet, vgg16; may be repeated")
    ] = None,
    weights: Annotated[list[str] | None, typer.Option(help="NAME=FILE: the weights of an extractor")] = None,
    columns: ColumnsOption = None,
    train_columns: Annotated[
        list[str] | None, typer.Option(help="the same for the catalogue to train on; by default --columns")
    ] = None,
    views: Annotated[
        int, typer.Option(min=0, max=20, help="changed views of each photo to learn from, kept where that helps")
    ] = 0,
    computing: Annotated[str, typer.Option(help="what networks compute in: fp32, bf16 or int8")] = "fp32",
    strangers: Annotated[
        int, typer.Option(min=0, help="with --folds: keep so many categories from a model each, and ask it about them")
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="the same seed and listings give the same figures")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure on listings the model has not seen; needs no running stack."""
    if (folds is not None) + (train is not None) + bool(split) != 1:
        raise InvalidInput(
            "say what to measure with: --folds 5 (cross-validation), --train FILE (train on another catalogue) or "
            "--split NAME (a split that the file names itself)"
        )
    if strangers and folds is None:
        raise InvalidInput("--strangers keeps categories of FILE from models of the rest of it: give --folds besides")
    from pipeline.classification import evaluation
    from pipeline.networks.precision import parse_precision

    parse_precision(computing)  # a word that is none is told before anything is read

    extractors, files = image_extractor or ["fisher"], _weights(weights or [])
    with progress_bar() as report:

        def progress(share: float, note: str) -> None:
            report(READING + (1 - READING) * share, note)

        mine = chosen_columns(columns)
        examples = read_examples(file, images, report, mine)
        if folds is not None:
            found = evaluation.evaluate(
                [example for example, _ in examples],
                folds=folds,
                level=level,
                image_extractors=extractors,
                weights=files,
                seed=seed,
                views=views,
                computing=computing,
                strangers=strangers,
                progress=progress,
            )
        else:
            seen, unseen = _parted(examples, split) if split else ([], [example for example, _ in examples])
            if train is not None:
                others = chosen_columns(train_columns) or mine
                seen = [example for example, _ in read_examples(train, train_images or images, report, others)]
            found = evaluation.evaluate_split(
                seen,
                unseen,
                level=level,
                image_extractors=extractors,
                weights=files,
                seed=seed,
                views=views,
                computing=computing,
                progress=progress,
            )
    if as_json:
        say_json(found)
        return
    say(f"{file.name}, level {found['level']}, {len(found['categories'])} categories, seed {found['seed']}")
    say_figures(found)
    if gain := found.get("fused_less_text"):
        low, high = gain["low"], gain["high"]
        say(f"fused less text: {gain['mean']:+.4f} (95 %: {low:+.4f} to {high:+.4f}, {gain['n']} listings)")
    if unknown := found.get("strangers"):
        say(
            f"of a category that it does not know it assigns {unknown['assigned']:.3f} of the listings "
            f"({unknown['n']} listings, {len(unknown['categories'])} categories in turn)"
        )
    say(f"{found['seconds']:.0f} s")


def read_examples(
    file: Path, images: Path | None, report: Report, columns: Mapping[str, str] | None = None
) -> list[tuple[Example, str]]:
    """The labelled rows of a catalogue and the split each names; what is left out is told on standard error.

    ``columns`` are those that ``chosen_columns`` gives.
    """
    catalogue = open_catalogue(file, columns=columns)
    folder = PhotoFolder(images) if images else None
    examples: list[tuple[Example, str]] = []
    left_out: dict[str, int] = {"rejected": 0, "without a category": 0, "photos missing": 0}
    for row in catalogue:
        report(READING * row.number / max(catalogue.count_hint, row.number), f"reading {file.name}")
        content = row.content
        if content is None or content.seller_category is None:
            left_out["rejected" if content is None else "without a category"] += 1
            continue
        photo, problem = _photo(folder, row)
        left_out["photos missing"] += problem is not None
        evidence = Evidence(content.name, content.description, content.attributes, photo, problem)
        examples.append((Example(known_as(row), evidence, content.seller_category), row.split or ""))
    if not examples:
        raise InvalidInput(f"no row of {file} has a category: there is nothing to compare answers with")
    if any(left_out.values()):
        told = ", ".join(f"{number} {what}" for what, number in left_out.items() if number)
        remark(f"{file.name}: {len(examples)} labelled listings; {told}")
    return examples


def _photo(folder: PhotoFolder | None, row: CatalogueRow) -> tuple[bytes | None, Reason | None]:
    try:
        return photo_of_row(folder, row, PHOTO_BYTES), None
    except BadImage as error:
        return None, reason_of(error)


def _parted(examples: list[tuple[Example, str]], split: str) -> tuple[list[Example], list[Example]]:
    seen = [example for example, mine in examples if mine != split]
    unseen = [example for example, mine in examples if mine == split]
    if not seen or not unseen:
        names = ", ".join(sorted({mine for _, mine in examples if mine})) or "none: it has no column named split"
        raise InvalidInput(f"'{split}' does not part the file in two; its splits are: {names}")
    return seen, unseen


def _weights(pairs: list[str]) -> dict[str, Any]:
    files = {}
    for pair in pairs:
        name, _, file = pair.partition("=")
        if not file or not Path(file).is_file():
            raise InvalidInput(f"'{pair}' names no weights; write it like vgg16=weights.h5")
        files[name] = file
    return files

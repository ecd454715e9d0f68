"""The command that measures a model on catalogue files, without a stack or a database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from infra.catalogue_files.catalogue import open_catalogue
from infra.catalogue_files.photo_folder import PhotoFolder, photo_of_row
from infra.catalogue_files.rows import CatalogueRow
from pipeline.domain.errors import BadImage, InvalidInput
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.progress import Progress, stage
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.training import (
    DEFAULT_PHOTO_EXTRACTORS,
    TEXT_ENCODER,
    TEXT_EXTRACTOR,
    TrainingOptions,
    check_levels,
)
from workers.commands.metric_tables import print_evaluation, print_learning_curve
from workers.commands.options import MAX_SEED, ColumnsOption, LevelOption, MinLevelOption, chosen_columns
from workers.commands.terminal import AsJson, print_json, print_note, progress_bar

MAX_PHOTO_BYTES = 20_000_000
DRAWS = 5  # of the listings that are labelled, and of those that are scored
READING_SHARE = 0.05  # approximate share of the total time that reading the files takes


@dataclass(frozen=True, slots=True)
class CatalogueExample:
    """A labelled row of a catalogue, and the ``split`` that it names; '' when it names none."""

    example: Example
    split: str


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    file: Annotated[Path, typer.Argument(help="the catalogue to score; its listings need a category")],
    images: Annotated[Path | None, typer.Option(help="the folder of its photos")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="cross-validate with this many folds")] = None,
    train: Annotated[Path | None, typer.Option(help="the catalogue to train on; FILE is then scored")] = None,
    train_images: Annotated[
        Path | None, typer.Option(help="the folder of the photos of the training catalogue")
    ] = None,
    split: Annotated[str, typer.Option(help="score the rows of this split of FILE, train on the others")] = "",
    shots: Annotated[
        str,
        typer.Option(
            metavar="0,1,3,…",
            help="the accuracy with so many labelled listings of each category, the mean of 5 draws",
        ),
    ] = "",
    level: LevelOption = None,
    min_level: MinLevelOption = 1,
    image_extractor: Annotated[
        list[str] | None,
        typer.Option(
            help="fisher, efficientnet, squeezenet, vgg16; may be repeated; by default the first two, if useful"
        ),
    ] = None,
    weights: Annotated[list[str] | None, typer.Option(help="NAME=FILE: the weights of an extractor")] = None,
    columns: ColumnsOption = None,
    train_columns: Annotated[
        list[str] | None, typer.Option(help="column mapping of the training catalogue; by default that of --columns")
    ] = None,
    views: Annotated[
        int, typer.Option(min=0, max=20, help="augmented views of each training photo, used if they help")
    ] = 0,
    computing: Annotated[str, typer.Option(help="number format of the networks: fp32, bf16 or int8")] = "fp32",
    unknown_categories: Annotated[
        int,
        typer.Option(
            "--unknown-categories",
            "--strangers",
            min=0,
            help="with --folds: hold out this many categories, one at a time, and test whether the model recognises "
            "them as unknown",
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="the same seed and listings give the same figures")
    ] = 0,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure accuracy on held-out listings; needs no running stack."""
    if (folds is not None) + (train is not None) + bool(split) + bool(shots) != 1:
        raise InvalidInput(
            "choose how to measure: --folds 5 (cross-validation), --train FILE (train on another catalogue), "
            "--split NAME (a split that a column of the file names) or --shots 0,1,5,20 (few labels a category)"
        )
    sizes = _sizes(shots)
    if unknown_categories and folds is None:
        raise InvalidInput(
            "--unknown-categories holds out categories of FILE from models of the rest: give --folds as well"
        )
    check_levels(level, min_level)
    from pipeline.networks.precision import parse_precision

    options = TrainingOptions(
        level=level,
        min_level=min_level,
        image_extractors=tuple(image_extractor or DEFAULT_PHOTO_EXTRACTORS),
        prune_extractors=not image_extractor,
        weights=_weights(weights or []),
        augmented_views=views,
        network_precision=parse_precision(computing).value,  # an unknown one is refused before anything is read
        seed=seed,
    )
    with progress_bar() as progress:
        column_mapping = chosen_columns(columns)
        rows = read_labelled_rows(file, images, progress, column_mapping)
        if sizes:
            report = _learning_curve(rows, sizes, options, progress)
        elif folds is not None:
            report = _cross_validate(rows, folds, unknown_categories, options, progress)
        else:
            training, test = _split_rows(rows, split) if split else ([], rows)
            if train is not None:
                training_columns = chosen_columns(train_columns) or column_mapping
                training = read_labelled_rows(train, train_images or images, progress, training_columns)
            report = _score_split(training, test, options, progress)
    if as_json:
        print_json(report)
    elif sizes:
        print_learning_curve(file.name, report)
    else:
        print_evaluation(file.name, report)


def read_labelled_rows(
    file: Path, images: Path | None, progress: Progress, columns: Mapping[str, str] | None = None
) -> list[CatalogueExample]:
    """The labelled rows of a catalogue; prints to standard error how many rows were left out.

    ``columns`` is a result of ``chosen_columns``.
    """
    from pipeline.features.photo_hash import perceptual_hash

    catalogue = open_catalogue(file, columns=columns)
    folder = PhotoFolder(images) if images else None
    rows: list[CatalogueExample] = []
    skipped: dict[str, int] = {"rejected": 0, "without a category": 0, "photos missing": 0}
    variants = 0
    for row in catalogue:
        if row.variant_of is not None:
            variants += 1
            continue
        progress(READING_SHARE * row.number / max(catalogue.count_hint, row.number), f"reading {file.name}")
        content = row.content
        if content is None or content.seller_category is None:
            skipped["rejected" if content is None else "without a category"] += 1
            continue
        photo, problem = _photo(folder, row)
        skipped["photos missing"] += problem is not None
        evidence = Evidence(content.name, content.description, content.attributes, photo, problem)
        photo_hash = perceptual_hash(photo) if photo else None
        example = Example(row.known_id, evidence, content.seller_category, row.parent, photo_hash)
        rows.append(CatalogueExample(example, row.split or ""))
    if not rows:
        raise InvalidInput(f"no row of {file} has a category: there is nothing to compare predictions with")
    skipped["variants of listings above"] = variants
    if any(skipped.values()):
        counts = ", ".join(f"{count} {reason}" for reason, count in skipped.items() if count)
        print_note(f"{file.name}: {len(rows)} labelled listings; {counts}")
    return rows


def _cross_validate(
    rows: Sequence[CatalogueExample], folds: int, unknown_categories: int, options: TrainingOptions, progress: Progress
) -> JsonObject:
    from pipeline.classification import evaluation

    return evaluation.evaluate(
        [row.example for row in rows],
        options,
        folds=folds,
        unknown_categories=unknown_categories,
        progress=stage(progress, READING_SHARE, 1.0),
    ).as_json()


def _learning_curve(
    rows: Sequence[CatalogueExample], sizes: Sequence[int], options: TrainingOptions, progress: Progress
) -> JsonObject:
    from pipeline.classification.targets import choose_level, with_canonical_categories
    from pipeline.study.learning_curve import learning_curve
    from pipeline.study.supervised_scores import SupervisedSetup

    started = time.perf_counter()
    examples = with_canonical_categories([row.example for row in rows])
    level = options.level if options.level is not None else choose_level([example.category for example in examples])
    has_photos = any(example.evidence.photo is not None for example in examples)
    setup = SupervisedSetup(
        level,
        TEXT_EXTRACTOR,
        options.image_extractors if has_photos else (),
        repeats=DRAWS,
        seed=options.seed,
        weights=options.weights,
        text_encoder=TEXT_ENCODER,
    )
    points = learning_curve(examples, setup, sizes, stage(progress, READING_SHARE, 1.0))
    if not points:
        raise InvalidInput("the categories have fewer listings than --shots asks for, or only one has any")
    return {
        "level": level,
        "draws": DRAWS,
        "seed": options.seed,
        "shots": [
            {
                "modality": point.modality.value,
                "labels": point.per_category,
                "accuracy": point.accuracy.mean,
                "low": point.accuracy.low,
                "high": point.accuracy.high,
            }
            for point in points
        ],
        "seconds": round(time.perf_counter() - started, 3),
    }


def _sizes(shots: str) -> list[int]:
    """The numbers of labels in ``--shots``; InvalidInput when it names something else."""
    texts = [text.strip() for text in shots.split(",") if text.strip()]
    if (shots and not texts) or any(not text.isascii() or not text.isdigit() or len(text) > 6 for text in texts):
        raise InvalidInput(
            f"--shots is '{shots[:40]}'; write numbers of labels with commas between them, like 0,1,5,20"
        )
    return sorted({int(text) for text in texts})


def _score_split(
    training: Sequence[CatalogueExample],
    test: Sequence[CatalogueExample],
    options: TrainingOptions,
    progress: Progress,
) -> JsonObject:
    from pipeline.classification import evaluation

    return evaluation.evaluate_split(
        [row.example for row in training],
        [row.example for row in test],
        options,
        progress=stage(progress, READING_SHARE, 1.0),
    ).as_json()


def _photo(folder: PhotoFolder | None, row: CatalogueRow) -> tuple[bytes | None, Reason | None]:
    """The photo of a row, or the reason why it cannot be read."""
    try:
        return photo_of_row(folder, row, MAX_PHOTO_BYTES), None
    except BadImage as error:
        return None, reason_of(error)


def _split_rows(rows: Sequence[CatalogueExample], split: str) -> tuple[list[CatalogueExample], list[CatalogueExample]]:
    """The rows to train on, and those of the split."""
    training = [row for row in rows if row.split != split]
    test = [row for row in rows if row.split == split]
    if not training or not test:
        names = ", ".join(sorted({row.split for row in rows if row.split})) or "none: it has no column named split"
        raise InvalidInput(f"'{split}' leaves nothing to train on or to score; the splits of the file are: {names}")
    return training, test


def _weights(pairs: list[str]) -> dict[str, str]:
    files = {}
    for pair in pairs:
        name, _, file = pair.partition("=")
        if not file or not Path(file).is_file():
            raise InvalidInput(f"'{pair}' names no weights file; write it like vgg16=weights.h5")
        files[name] = file
    return files

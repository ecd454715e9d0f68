"""A study of a catalogue file, in this process: nothing is stored but its results, and no stack is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from infra.catalogue_files.catalogue import catalogue_name
from infra.storage.filesystem import FilesystemStorage
from infra.storage.model_registry import StorageModelRegistry
from pipeline.domain.errors import InvalidInput, RayonError
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.progress import stage
from pipeline.domain.study import StudyPlan, file_type
from pipeline.features.pretrained_weights import find_weights
from pipeline.steps.default_study_steps import default_steps
from pipeline.steps.run_study_locally import run_study_locally
from pipeline.study.stored_features import StoredFeatures
from pipeline.study.study_folder import StudyFolder
from pipeline.study.study_run import chosen_extractors
from workers.commands.evaluate import READING_SHARE, read_labelled_rows
from workers.commands.terminal import progress_bar, remark

# Parts of the web page; the report in one file has them inside.
WEB_ONLY = {"body.en.html", "body.fr.html", "report.css", "report.js", "photos.webp"}


def study_file(
    file: Path, images: Path | None, columns: Mapping[str, str], out: Path | None, weights: list[str], plan: StudyPlan
) -> tuple[dict[str, Any], Path]:
    """Study the labelled rows of a catalogue file; returns the report and the folder its files were written to.

    What an interrupted study has finished lies under the cache of RAYON_HOME, and the same call goes on from there.
    """
    home = Path(os.environ.get("RAYON_HOME") or "var").resolve()
    kept = FilesystemStorage(home / "cache" / "studies", "", "")
    target = out or Path(f"study-{catalogue_name(file)}")
    _check_writable(target)
    given = known_weights(weights, home, plan)
    try:
        with progress_bar() as report:
            examples = [row.example for row in read_labelled_rows(file, images, report, columns)]
            done = run_study_locally(
                examples,
                plan,
                catalogue_name(file),
                kept,
                StoredFeatures(kept, catalogue_name(file)[:60]),
                given,
                default_steps(),
                stage(report, READING_SHARE, 1.0),
            )
    except KeyboardInterrupt:
        remark("stopped; what is finished is kept, and the same command goes on from there")
        raise
    write_out(done.folder, target)
    return done.report, target


def known_weights(pairs: list[str], home: Path, plan: StudyPlan) -> dict[str, str]:
    """Weights by extractor: those given as NAME=FILE, then those that were added to the storage of RAYON_HOME."""
    given = {}
    for pair in pairs:
        name, _, place = pair.partition("=")
        if not place or not extractor_spec(name).takes_weights:
            raise InvalidInput(f"'{pair}' names no weights; write it like vgg16=weights.h5")
        given[name] = place
    objects = home / "objects"
    if objects.is_dir():
        registry = StorageModelRegistry(FilesystemStorage(objects, "", ""), home / "cache")
        for name in chosen_extractors(plan):
            with suppress(RayonError):
                found = find_weights(name, registry.weights_path)
                if found is not None:
                    given.setdefault(name, found)
    return given


def write_out(folder: StudyFolder, target: Path) -> None:
    """Write the files that people open into a folder, and take all out of the cache.

    Raises InvalidInput where that cannot be; the cache then keeps them.
    """
    try:
        for name in folder.names():
            if file_type(name) is not None and name not in WEB_ONLY:
                place = target / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(folder.read(name) or b"")
    except OSError as error:
        reason = f"the files of the study cannot be written to {target} ({error.strerror})"
        raise InvalidInput(f"{reason}; name another folder with --out: what was done is kept") from error
    folder.clear()


def _check_writable(target: Path) -> None:
    """InvalidInput before a study of hours, not after it."""
    there = next(place for place in (target, *target.absolute().parents) if place.exists())
    if not there.is_dir():
        raise InvalidInput(f"{there} is no folder: name another one with --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidInput(f"{there} cannot be written to: name another folder with --out")

"""Study a catalogue file in this process: without a running stack, and storing nothing except the results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.catalogue_files.catalogue import catalogue_name
from infra.storage.filesystem import FilesystemStorage
from infra.storage.model_registry import StorageModelRegistry
from pipeline.domain.errors import InvalidInput, RayonError
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.progress import stage
from pipeline.domain.study import StudyPlan, file_type
from pipeline.domain.study_report import StudyReport
from pipeline.features.weights_lookup import find_weights
from pipeline.steps.default_study_steps import DefaultStudySteps
from pipeline.steps.run_study_locally import LocalStudyContext, run_study_locally
from pipeline.study.study_run import planned_extractors
from pipeline.study.study_storage import StoredFeatures, StudyFolder
from workers.commands.evaluate import READING_SHARE, read_labelled_rows
from workers.commands.terminal import print_note, progress_bar

# Parts of the web page; the self-contained report.*.html includes them.
WEB_FILES = {"body.en.html", "body.fr.html", "report.css", "report.js", "photos.webp"}


@dataclass(frozen=True, slots=True)
class FileToStudy:
    """A catalogue file to study: the folder of its photos, the columns that were named, and the output folder."""

    path: Path
    images: Path | None
    columns: Mapping[str, str]
    out: Path | None

    @property
    def target(self) -> Path:
        """The folder of the results."""
        return self.out or Path(f"study-{catalogue_name(self.path)}")


def study_file(file: FileToStudy, weights: list[str], plan: StudyPlan) -> StudyReport:
    """Study the labelled rows of a catalogue file and write the results to the target folder.

    Results of an interrupted study are kept in the cache of RAYON_HOME, and the same call continues from there.
    """
    home = Path(os.environ.get("RAYON_HOME") or "var").resolve()
    storage, name = FilesystemStorage(home / "cache" / "studies", "", ""), catalogue_name(file.path)
    _check_writable(file.target)
    context = LocalStudyContext(
        storage, StoredFeatures(storage, name[:60]), find_all_weights(weights, home, plan), DefaultStudySteps()
    )
    try:
        with progress_bar() as progress:
            examples = [row.example for row in read_labelled_rows(file.path, file.images, progress, file.columns)]
            result = run_study_locally(examples, plan, name, context, stage(progress, READING_SHARE, 1))
    except KeyboardInterrupt:
        print_note("stopped; finished results are kept, and the same command continues from there")
        raise
    move_results(result.folder, file.target)
    return result.report


def find_all_weights(pairs: list[str], home: Path, plan: StudyPlan) -> dict[str, str]:
    """Weights by extractor: those passed as NAME=FILE, then those in the storage of RAYON_HOME."""
    weights = {}
    for pair in pairs:
        name, _, path = pair.partition("=")
        if not path or not extractor_spec(name).takes_weights:
            raise InvalidInput(f"'{pair}' names no weights; write it like vgg16=weights.h5")
        weights[name] = path
    objects = home / "objects"
    if objects.is_dir():
        registry = StorageModelRegistry(FilesystemStorage(objects, "", ""), home / "cache")
        for name in planned_extractors(plan):
            with suppress(RayonError):
                weights_path = find_weights(name, registry.weights_path)
                if weights_path is not None:
                    weights.setdefault(name, weights_path)
    return weights


def move_results(folder: StudyFolder, target: Path) -> None:
    """Write the user-facing files to a folder, and delete all files of the study from the cache.

    Raises InvalidInput if they cannot be written; the cache then keeps them.
    """
    try:
        for name in folder.names():
            if file_type(name) is not None and name not in WEB_FILES:
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(folder.read(name) or b"")
    except OSError as error:
        reason = f"the files of the study cannot be written to {target} ({error.strerror})"
        raise InvalidInput(f"{reason}; name another folder with --out: the results are kept") from error
    folder.clear()


def _check_writable(target: Path) -> None:
    """Raise InvalidInput if the folder is not writable: before a study of hours, not after it."""
    existing = next(path for path in (target, *target.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InvalidInput(f"{existing} is no folder: name another one with --out")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InvalidInput(f"{existing} cannot be written to: name another folder with --out")

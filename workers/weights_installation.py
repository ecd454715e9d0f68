"""Install weights of extractors: fetched from their publisher or supplied by a user, checked, and stored."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.safe_fetch.published_file_download import DownloadPolicy, downloaded_bytes, downloaded_file
from infra.storage.weights_fetch_log import AcceptedWeights, WeightsFetchLog
from pipeline.domain import extractors
from pipeline.domain.errors import BadArtefact, InvalidInput, RayonError, Unavailable
from pipeline.domain.progress import Progress
from pipeline.domain.published_file import PublishedFile
from pipeline.features.extractor import load_extractor
from pipeline.features.weights_lookup import PretrainedExtractorClass
from workers.bootstrap import WorkerContext


@dataclass(frozen=True, slots=True)
class InstalledWeights:
    """Weights in the storage, with the SHA-256 (hex) of their file; ``is_new`` if this call installed them.

    ``published``: whether they are the publisher's own, None if unknown.
    """

    sha256: str
    published: bool | None
    is_new: bool = True


def extractors_with_weights() -> tuple[str, ...]:
    """The names of the extractors that take weights."""
    return tuple(row.name for row in extractors.EXTRACTORS if row.takes_weights)


def fetchable_extractors() -> tuple[str, ...]:
    """The names of the extractors whose weights have a published file."""
    return tuple(row.name for row in extractors.EXTRACTORS if row.takes_weights and row.published)


def add_weights(context: WorkerContext, name: str, weights: str) -> InstalledWeights:
    """Check weights of a user (a path, or whatever else the extractor accepts) and store them.

    Raises InvalidInput for an extractor that takes no weights, BadArtefact or Unavailable when it rejects them.
    """
    if name not in extractors_with_weights():
        raise InvalidInput(f"'{name}' takes no weights; these do: {', '.join(extractors_with_weights())}")
    installed, fetch_log = _install(context, name, weights), WeightsFetchLog(context.storage)
    if installed.published and fetch_log.accepted(name) is None:
        fetch_log.record_accepted(name, AcceptedWeights(installed.sha256, installed.sha256))
    fetch_log.clear_failures(name)
    return installed


def _install(context: WorkerContext, name: str, weights: str) -> InstalledWeights:
    extractor: type[PretrainedExtractorClass] = load_extractor(name)
    with TemporaryDirectory(prefix="rayon-weights-") as folder:
        checked = extractor.check_weights(weights, Path(folder))
        return InstalledWeights(context.registry.add_weights(name, checked.path), checked.published)


def published_file_of(context: WorkerContext, name: str, address: str = "") -> PublishedFile:
    """The file to fetch, with the digest that its publisher states or that the first accepted file had.

    ``address`` replaces the publisher's address. Raises InvalidInput when the extractor has no published file.
    """
    file = extractors.extractor_spec(name).published if name in extractors_with_weights() else None
    if file is None:
        fetchable = ", ".join(fetchable_extractors())
        if name in extractors_with_weights():
            raise InvalidInput(
                f"'{name}' has no published file to fetch; choose a model: rayon models add {name} FILE "
                f"(these can be fetched: {fetchable})"
            )
        raise InvalidInput(f"'{name}' takes no weights that can be fetched; these do: {fetchable}")
    accepted = WeightsFetchLog(context.storage).accepted(name)
    return replace(
        file, address=address or file.address, sha256=file.sha256 or (accepted.published_sha256 if accepted else None)
    )


def download_folder(context: WorkerContext, name: str) -> Path:
    """The folder of incomplete downloads of these weights."""
    return context.settings.home / "cache" / "downloads" / name


def installed_published_weights(context: WorkerContext, name: str) -> InstalledWeights | None:
    """The installed weights if they are the publisher's own and undamaged, else None."""
    file, accepted = extractors.extractor_spec(name).published, WeightsFetchLog(context.storage).accepted(name)
    digest = context.registry.weights_digest(name)
    published = {file.sha256 if file else None, accepted.stored_sha256 if accepted else None}
    if digest is None or digest not in published:
        return None
    with suppress(BadArtefact):
        context.registry.weights_path(name)
        return InstalledWeights(digest, published=True, is_new=False)
    return None


def fetch_weights(
    context: WorkerContext, name: str, progress: Progress, address: str = "", policy: DownloadPolicy | None = None
) -> InstalledWeights:
    """Fetch the weights of an extractor from their publisher (or from ``address``), check them, and store them.

    No request is made if the publisher's own weights are installed. Every failure raises an error whose sentence names
    the weights and the alternative; an incomplete download is kept for the next call.
    """
    file = published_file_of(context, name, address)
    installed = installed_published_weights(context, name)
    if installed is not None:
        return installed

    def report_bytes(size: int, total: int | None) -> None:
        total_text = f" of {total / 1e6:.1f}" if total else ""
        progress(size / total if total else 0.0, f"fetching {name}: {size / 1e6:.1f}{total_text} MB")

    folder = download_folder(context, name)
    try:
        with downloaded_file(file, folder, report_bytes, policy) as path:
            progress(1.0, f"checking the weights of {name}")
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            installed = _install(context, name, str(path))
    except RayonError as error:
        kept_bytes = downloaded_bytes(file, folder)
        advice = (
            f"; {kept_bytes / 1e6:.1f} MB are kept, and the same command continues from there" if kept_bytes else ""
        )
        message = (
            f"the weights of {name} cannot be fetched: {error}{advice} (or add a file: rayon models add {name} FILE)"
        )
        raise (BadArtefact if isinstance(error, BadArtefact) else Unavailable)(message) from error
    fetch_log = WeightsFetchLog(context.storage)
    fetch_log.record_accepted(name, AcceptedWeights(digest, installed.sha256))
    fetch_log.clear_failures(name)
    return installed

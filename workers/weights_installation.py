"""Weights on their way into the house: fetched from their publisher or given by a person, judged, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.safe_fetch.download import DownloadPolicy, downloaded_bytes, downloaded_file
from infra.storage.weights_ledger import AcceptedWeights, WeightsLedger
from pipeline.domain import extractors
from pipeline.domain.errors import BadArtefact, InvalidInput, RayonError, Unavailable
from pipeline.domain.published_file import PublishedFile
from pipeline.features import extractor as factory
from pipeline.features.pretrained_weights import TakesWeights
from workers.bootstrap import WorkerContext

# How far it is (0 to 1), and what is being done.
Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class InstalledWeights:
    """Weights in the storage: SHA-256 (hex) of the file; ``published`` is None where that cannot be told."""

    sha256: str
    published: bool | None
    fresh: bool = True


def extractors_with_weights(fetched: bool = False) -> tuple[str, ...]:
    """The extractors that take weights; only those with a published file when they are to be ``fetched``."""
    return tuple(row.name for row in extractors.EXTRACTORS if row.takes_weights and (row.published or not fetched))


def add_weights(context: WorkerContext, name: str, given: str) -> InstalledWeights:
    """Judge what a person gave (a path, or what else the extractor understands) and keep it.

    Raises InvalidInput for an extractor that takes no weights, BadArtefact or Unavailable when it refuses them.
    """
    if name not in extractors_with_weights():
        raise InvalidInput(f"'{name}' takes no weights; these do: {', '.join(extractors_with_weights())}")
    kept, ledger = _keep(context, name, given), WeightsLedger(context.storage)
    if kept.published and ledger.accepted(name) is None:
        ledger.accept(name, AcceptedWeights(kept.sha256, kept.sha256))
    ledger.succeed(name)
    return kept


def _keep(context: WorkerContext, name: str, given: str) -> InstalledWeights:
    extractor: type[TakesWeights] = factory.load_extractor(name)
    with TemporaryDirectory(prefix="rayon-weights-") as folder:
        found = extractor.check_weights(given, Path(folder))
        return InstalledWeights(context.registry.add_weights(name, found.path), found.published)


def published_file_of(context: WorkerContext, name: str, address: str = "") -> PublishedFile:
    """The file that is to be fetched, with all that is known of it: by its publisher, or since one was accepted.

    ``address`` replaces the publisher's. Raises InvalidInput when the extractor has no published file.
    """
    file = extractors.extractor_spec(name).published if name in extractors_with_weights() else None
    if file is None:
        others = ", ".join(extractors_with_weights(fetched=True))
        if name in extractors_with_weights():
            raise InvalidInput(
                f"'{name}' has no file of its own to fetch; choose a model: rayon models add {name} NAME "
                f"(these are fetched: {others})"
            )
        raise InvalidInput(f"'{name}' takes no weights that could be fetched; these do: {others}")
    accepted = WeightsLedger(context.storage).accepted(name)
    return replace(
        file, address=address or file.address, sha256=file.sha256 or (accepted.published_sha256 if accepted else None)
    )


def download_folder(context: WorkerContext, name: str) -> Path:
    """The folder where a download of these weights waits to be complete."""
    return context.settings.home / "cache" / "downloads" / name


def installed_published_weights(context: WorkerContext, name: str) -> InstalledWeights | None:
    """The weights, when those that are kept are the publisher's own, and whole."""
    file, accepted = extractors.extractor_spec(name).published, WeightsLedger(context.storage).accepted(name)
    digest = context.registry.weights_digest(name)
    own = {file.sha256 if file else None, accepted.stored_sha256 if accepted else None}
    if digest is None or digest not in own:
        return None
    with suppress(BadArtefact):
        context.registry.weights_path(name)
        return InstalledWeights(digest, True, fresh=False)
    return None


def fetch_weights(
    context: WorkerContext, name: str, report: Report, address: str = "", policy: DownloadPolicy | None = None
) -> InstalledWeights:
    """Fetch the weights of an extractor from their publisher (or from ``address``), judge them, and keep them.

    Nothing is asked when the publisher's own are there. Every failure raises an error of one plain sentence that names
    the weights and what else can be done; what had come of them is kept for the next time.
    """
    wanted = published_file_of(context, name, address)
    there = installed_published_weights(context, name)
    if there is not None:
        return there

    def progress(size: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        report(size / total if total else 0.0, f"fetching {name}: {size / 1e6:.1f}{of} MB")

    folder = download_folder(context, name)
    try:
        with downloaded_file(wanted, folder, progress, policy) as path:
            report(1.0, f"judging the weights of {name}")
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            kept = _keep(context, name, str(path))
    except RayonError as error:
        part = downloaded_bytes(wanted, folder)
        rest = f"; {part / 1e6:.1f} MB are kept, and the same command goes on from there" if part else ""
        message = (
            f"the weights of {name} cannot be fetched: {error}{rest} (or add a file: rayon models add {name} FILE)"
        )
        raise (BadArtefact if isinstance(error, BadArtefact) else Unavailable)(message) from error
    ledger = WeightsLedger(context.storage)
    ledger.accept(name, AcceptedWeights(digest, kept.sha256))
    ledger.succeed(name)
    return kept

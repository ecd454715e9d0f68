"""The registry of model artefacts and network weights: stored as objects, verified and cached when read.

A ledger beside the weights records the first file that was accepted, and the last failed fetch.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.storage.storage_interface import FileStorage
from pipeline.domain.errors import BadArtefact, InvalidInput, NotFound, Unavailable
from pipeline.domain.job import RetryPolicy
from pipeline.ports.services import ObjectStorage

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
CHUNK_BYTES = 1 << 20


class StorageModelRegistry:
    """Implements ``pipeline.ports.services.ModelRegistry`` on an object storage.

    Objects: ``models/<version>/<name>``, ``weights/<name>/<sha-256>`` and ``weights/<name>/manifest.json``. The cache
    is a folder of files named by their SHA-256; processes may share it, and it may be deleted at any time.
    """

    def __init__(self, storage: FileStorage, cache_folder: Path) -> None:
        self._storage = storage
        self._cache = cache_folder

    def save(self, version: str, files: Mapping[str, bytes]) -> Mapping[str, str]:
        """Store the files of a version; return the SHA-256 (hex) of each by name."""
        digests = {}
        for name, content in files.items():
            self._storage.put(_model_key(version, name), content)
            digests[name] = hashlib.sha256(content).hexdigest()
        return digests

    def load(self, version: str, digests: Mapping[str, str]) -> dict[str, bytes]:
        """The files of a version by name; BadArtefact when one is missing or differs from its digest."""
        return {name: self._cached(_model_key(version, name), digest).read_bytes() for name, digest in digests.items()}

    def add_weights(self, name: str, path: Path) -> str:
        """Store a weights file under a name, in chunks; return its SHA-256. A second file replaces the first."""
        _check_name(name)
        if not path.is_file() or not path.stat().st_size:
            raise InvalidInput(f"{path} is not a file with weights; give the .h5 or .npz file itself")
        digest = _digest_of(path)
        self._storage.put_file(f"weights/{name}/{digest}", path)
        # The manifest comes last: it never names a file that is not stored yet.
        manifest = {"sha256": digest, "file": path.name, "size": path.stat().st_size}
        self._storage.put(f"weights/{name}/manifest.json", json.dumps(manifest).encode(), "application/json")
        return digest

    def available_weights(self) -> frozenset[str]:
        """The names whose weights were added; only ``weights_path`` checks the file itself."""
        parts = (found.key.split("/") for found in self._storage.keys("weights/"))
        return frozenset(part[1] for part in parts if len(part) == 3 and part[2] == "manifest.json")

    def weights_digest(self, name: str) -> str | None:
        """The SHA-256 of the weights that were added, by their manifest; None when it is missing or damaged."""
        try:
            return str(json.loads(self._storage.get(f"weights/{_check_name(name)}/manifest.json"))["sha256"])
        except (NotFound, ValueError, KeyError, TypeError):
            return None

    def weights_path(self, name: str) -> Path:
        """A local, verified copy of the weights, with their file's suffix. Raises Unavailable when none were added."""
        try:
            manifest = json.loads(self._storage.get(f"weights/{_check_name(name)}/manifest.json", limit=10_000))
            digest, suffix = str(manifest["sha256"]), Path(str(manifest["file"])).suffix
        except NotFound as error:
            raise Unavailable(f"no weights named {name}; add them with: rayon models add {name} FILE") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BadArtefact(f"the manifest of the weights {name} is damaged; add them again") from error
        return self._cached(f"weights/{name}/{digest}", digest, suffix)

    def weights_of_digest(self, name: str, digest: str) -> Path:
        """A local, verified copy of the weights with that SHA-256, even if others have replaced them since."""
        return self._cached(f"weights/{_check_name(name)}/{digest}", digest, ".h5")

    def _cached(self, key: str, digest: str, suffix: str = "") -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise BadArtefact(f"the digest of {key} is not a SHA-256: {digest[:70]!r}")
        target = self._cache / f"{digest}{suffix}"
        if target.is_file() and _digest_of(target) == digest:
            return target
        with _temporary_beside(target) as temporary:
            try:
                self._storage.get_file(key, temporary)
            except NotFound as error:
                raise BadArtefact(f"the artefact {key} is missing from the storage; train or add it again") from error
            found = _digest_of(temporary)
            if found != digest:
                raise BadArtefact(
                    f"the artefact {key} is damaged: its SHA-256 is {found[:12]}…, its manifest says {digest[:12]}…; "
                    "restore it, or train again"
                )
            temporary.replace(target)
        return target


@contextmanager
def _temporary_beside(target: Path) -> Iterator[Path]:
    # A name of its own for each process: the last rename wins, and all write the same bytes.
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix="unfinished-")
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _model_key(version: str, name: str) -> str:
    return f"models/{_check_name(version)}/{_check_name(name)}"


def _check_name(name: str) -> str:
    if not SAFE_NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot name a model file: use letters, digits, dots, dashes and underscores, at most 80"
        )
    return name


# After a failed background fetch: ten minutes, then twice as long each time, at most a day.
BACKGROUND_RETRY = RetryPolicy(first_delay=600.0, longest_delay=86_400.0)


@dataclass(frozen=True, slots=True)
class AcceptedWeights:
    """SHA-256 of the file as published, and of the one stored, which may be a conversion of it."""

    published_sha256: str
    stored_sha256: str


@dataclass(frozen=True, slots=True)
class FailedFetch:
    """The last of ``failures`` failed fetches in a row: when (seconds since the epoch), and why, for users."""

    failures: int
    at: float
    reason: str

    @property
    def next_at(self) -> float:
        """When the next fetch is due, in seconds since the epoch."""
        return self.at + BACKGROUND_RETRY.delay(self.failures, 0.0)


class WeightsLedger:
    """Objects ``weights/<name>/accepted.json`` and ``weights/<name>/failed.json`` of a storage."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def accepted(self, name: str) -> AcceptedWeights | None:
        """The file that was accepted; None when none was."""
        record = self._read(f"weights/{name}/accepted.json")
        try:
            return None if record is None else AcceptedWeights(str(record["sha256"]), str(record["kept"]))
        except KeyError:
            return None

    def accept(self, name: str, weights: AcceptedWeights) -> None:
        """Record a file from the publisher; later ones must have the same digest."""
        record = {"sha256": weights.published_sha256, "kept": weights.stored_sha256}
        self._write(f"weights/{name}/accepted.json", record)

    def failed(self, name: str) -> FailedFetch | None:
        """The last fetch, if it failed."""
        record = self._read(f"weights/{name}/failed.json")
        if record is None:
            return None
        try:
            return FailedFetch(int(record["failures"]), float(record["at"]), str(record["said"]))
        except (KeyError, ValueError, TypeError):
            return None

    def fail(self, name: str, reason: str) -> FailedFetch:
        """Record that a fetch has failed now."""
        before = self.failed(name)
        failed = FailedFetch(before.failures + 1 if before else 1, time.time(), reason)
        self._write(f"weights/{name}/failed.json", {"failures": failed.failures, "at": failed.at, "said": reason})
        return failed

    def succeed(self, name: str) -> None:
        """Delete the record of earlier failures."""
        self._storage.delete(f"weights/{name}/failed.json")

    def _read(self, key: str) -> Mapping[str, Any] | None:
        try:
            found = json.loads(self._storage.get(key, limit=10_000))
        except (NotFound, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, key: str, record: Mapping[str, Any]) -> None:
        self._storage.put(key, json.dumps(record).encode(), "application/json")

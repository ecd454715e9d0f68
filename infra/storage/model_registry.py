"""The registry of model artefacts and network weights: stored as objects, verified and cached when read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.storage.storage_interface import FileTransferStorage
from pipeline.domain.bundled_weights import BundledWeights, all_bundled_weights, bundled_weights
from pipeline.domain.errors import BadArtefact, InvalidInput, NotFound, Unavailable

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
CHUNK_BYTES = 1 << 20


class StorageModelRegistry:
    """Implements ``pipeline.ports.services.ModelRegistry`` on an object storage.

    Objects: ``models/<version>/<name>``, ``weights/<name>/<sha-256>`` and ``weights/<name>/manifest.json``. The cache
    is a folder of files named by their SHA-256. Processes may share it, and it may be deleted at any time. Weights that
    came with the installation are used where none were added.
    """

    def __init__(self, storage: FileTransferStorage, cache_folder: Path) -> None:
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
        """The files of a version by name. Raises BadArtefact when one is missing or differs from its digest."""
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
        """The names whose weights were added or came with the installation; only ``weights_path`` checks the file."""
        key_parts = (stored_object.key.split("/") for stored_object in self._storage.keys("weights/"))
        added = {parts[1] for parts in key_parts if len(parts) == 3 and parts[2] == "manifest.json"}
        return frozenset(added | {weights.extractor for weights in all_bundled_weights()})

    def weights_digest(self, name: str) -> str | None:
        """The SHA-256 of the weights, according to their manifest if they were added; None without or when damaged."""
        try:
            return str(json.loads(self._storage.get(f"weights/{_check_name(name)}/manifest.json"))["sha256"])
        except NotFound:
            bundled = _bundled(name)
            return None if bundled is None else bundled.sha256
        except (ValueError, KeyError, TypeError):
            return None

    def weights_path(self, name: str) -> Path:
        """A local, verified copy of the weights, with the suffix of the file that was added, or the installed file.

        Raises Unavailable when there are none, BadArtefact when the manifest or the weights are damaged.
        """
        try:
            manifest = json.loads(self._storage.get(f"weights/{_check_name(name)}/manifest.json", limit=10_000))
            digest, suffix = str(manifest["sha256"]), Path(str(manifest["file"])).suffix
        except NotFound as error:
            if (bundled := _bundled(name)) is not None:
                return bundled.path
            raise Unavailable(f"no weights named {name}; add them with: rayon models add {name} FILE") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BadArtefact(f"the manifest of the weights {name} is damaged; add them again") from error
        return self._cached(f"weights/{name}/{digest}", digest, suffix)

    def weights_of_digest(self, name: str, digest: str) -> Path:
        """A local, verified copy of the weights with this SHA-256, even if they were replaced since."""
        bundled = _bundled(name)
        if bundled is not None and bundled.sha256 == digest:
            return bundled.path
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
            actual_digest = _digest_of(temporary)
            if actual_digest != digest:
                raise BadArtefact(
                    f"the artefact {key} is damaged: its SHA-256 is {actual_digest[:12]}…, its manifest says "
                    f"{digest[:12]}…; restore it, or train again"
                )
            temporary.replace(target)
        return target


@contextmanager
def _temporary_beside(target: Path) -> Iterator[Path]:
    # Each process writes a file of its own: the last rename wins, and all files have the same bytes.
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix="unfinished-")
    os.close(descriptor)
    try:
        yield Path(temporary)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _bundled(name: str) -> BundledWeights | None:
    """The weights that came with the installation; None for a name that is no extractor's."""
    try:
        return bundled_weights(name)
    except InvalidInput:
        return None


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

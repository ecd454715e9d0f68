"""Files of studies in the object storage: one folder per study, and feature vectors shared by studies.

Arrays and JSON only. Every write is atomic, so a stage that finds its result need not compute it again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.domain.errors import BadArtefact, NotFound
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study_report import LearningCurvePoint, SupervisedFigures
from pipeline.features.extractor import Matrix
from pipeline.ports.services import ObjectStorage
from pipeline.study.features import Features, StoredVectors
from pipeline.study.study_steps import SupervisedResult, TsneMaps

WORK_FOLDER = "work/"
FEATURES_FOLDER = "features/"
_METADATA_ARRAY = "facts"


class StudyFolder:
    """The files of one study, under a prefix of the storage; names may contain folders."""

    def __init__(self, storage: ObjectStorage, prefix: str) -> None:
        self._storage = storage
        self._prefix = prefix

    def write(self, name: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Write a file atomically."""
        self._storage.put(self._prefix + name, content, content_type)

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None if it does not exist."""
        try:
            return self._storage.get(self._prefix + name)
        except NotFound:
            return None

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON; numpy numbers and arrays become plain ones."""
        self.write(name, to_json_bytes(value), "application/json")

    def read_json(self, name: str) -> Any:
        """The JSON of a file, or None if it does not exist."""
        content = self.read(name)
        return None if content is None else json.loads(content)

    def write_features(self, features: Features) -> None:
        """Write the features of an extractor for later stages."""
        metadata = {
            "extractor": features.extractor,
            "modality": features.modality,
            "seconds": features.seconds,
            "memory": features.memory,
            "reused": features.reused,
        }
        arrays = {"has": features.present, **_matrix_arrays(features.matrix)}
        self.write(f"{WORK_FOLDER}features/{features.extractor}.npz", pack(arrays, metadata))

    def read_features(self, extractor: str) -> Features | None:
        """The features of an extractor, or None if its trial wrote none."""
        packed = self._read_packed(f"{WORK_FOLDER}features/{extractor}.npz")
        if packed is None:
            return None
        return Features(
            extractor=packed.metadata["extractor"],
            modality=Modality(packed.metadata["modality"]),
            matrix=_matrix_of(packed.arrays),
            present=packed.arrays["has"],
            seconds=packed.metadata["seconds"],
            memory=packed.metadata["memory"],
            reused=packed.metadata["reused"],
        )

    def write_maps(self, name: str, maps: TsneMaps) -> None:
        """Write the t-SNE maps of a trial."""
        arrays: dict[str, NDArray[Any]] = {"rows": maps.rows, "planes": maps.points}
        self.write(f"{WORK_FOLDER}planes/{name}.npz", pack(arrays, {}))

    def read_maps(self, name: str) -> TsneMaps | None:
        """The t-SNE maps of a trial, or None."""
        packed = self._read_packed(f"{WORK_FOLDER}planes/{name}.npz")
        return None if packed is None else TsneMaps(packed.arrays["rows"], packed.arrays["planes"])

    def write_supervised(self, name: str, result: SupervisedResult) -> None:
        """Write the result of a supervised job."""
        arrays = {} if result.probabilities is None else {"probabilities": result.probabilities}
        # "facts" is read by workers of an earlier version, which may run beside this one.
        metadata = {
            "rows": [figures.as_json() for figures in result.figures],
            "curve": [point.as_json() for point in result.curve],
            "facts": {},
        }
        self.write(f"{WORK_FOLDER}supervised/{name}.npz", pack(arrays, metadata))

    def read_supervised(self, name: str) -> SupervisedResult | None:
        """The result of a supervised job, or None."""
        packed = self._read_packed(f"{WORK_FOLDER}supervised/{name}.npz")
        if packed is None:
            return None
        return SupervisedResult(
            figures=tuple(SupervisedFigures.from_json(figures) for figures in packed.metadata["rows"]),
            curve=tuple(LearningCurvePoint.from_json(point) for point in packed.metadata["curve"]),
            probabilities=packed.arrays.get("probabilities"),
        )

    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return [stored.key.removeprefix(self._prefix) for stored in self._storage.keys(self._prefix)]

    def clear(self, name_prefix: str = "") -> None:
        """Delete the files whose names begin with ``name_prefix``, by default all."""
        for name in self.names():
            if name.startswith(name_prefix):
                self._storage.delete(self._prefix + name)

    def _read_packed(self, name: str) -> PackedArrays | None:
        content = self.read(name)
        return None if content is None else unpack(content)


class StoredFeatures:
    """Implements ``pipeline.study.features.FeatureStore`` on the object storage; a damaged file counts as absent.

    ``owner`` separates the vectors of one catalogue from those of another, which would overwrite them.
    """

    def __init__(self, storage: ObjectStorage, owner: str) -> None:
        self._storage = storage
        self._prefix = f"{FEATURES_FOLDER}{owner}/"

    def load(self, key: str) -> StoredVectors | None:
        """The vectors stored under a key; None if there are none."""
        try:
            packed = unpack(self._storage.get(f"{self._prefix}{key}.npz"))
            return StoredVectors(packed.metadata["digests"], packed.arrays["vectors"])
        except (NotFound, BadArtefact, KeyError):
            return None

    def save(self, key: str, stored: StoredVectors) -> None:
        """Store vectors under a key, replacing any stored before."""
        content = pack({"vectors": stored.vectors}, {"digests": list(stored.digests)})
        self._storage.put(f"{self._prefix}{key}.npz", content)


def to_json_bytes(value: Any) -> bytes:
    """Compact JSON in UTF-8; NaN raises ValueError, because browsers cannot read it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode()


@dataclass(frozen=True, slots=True)
class PackedArrays:
    """Named arrays, and the JSON object stored with them."""

    arrays: dict[str, NDArray[Any]]
    metadata: Mapping[str, Any]


def pack(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> bytes:
    """Arrays and a JSON object as one npz file, uncompressed: dense features hardly shrink, and compression is slow."""
    stream = io.BytesIO()
    all_arrays: Any = {**arrays, _METADATA_ARRAY: np.frombuffer(to_json_bytes(metadata), np.uint8)}
    np.savez(stream, **all_arrays)
    return stream.getvalue()


def unpack(content: bytes) -> PackedArrays:
    """Reverse ``pack``; BadArtefact when the content is damaged."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return PackedArrays(arrays, json.loads(arrays.pop(_METADATA_ARRAY).tobytes()))
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise BadArtefact(Reason.of(ReasonCode.STUDY_FILE_DAMAGED, error=str(error))) from error


def _matrix_arrays(matrix: Matrix) -> dict[str, NDArray[Any]]:
    """A matrix, dense or CSR, as named arrays."""
    if not sparse.issparse(matrix):
        return {"dense": matrix}
    rows = matrix.tocsr()
    return {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": np.array(rows.shape)}


def _matrix_of(arrays: Mapping[str, NDArray[Any]]) -> Matrix:
    if "dense" in arrays:
        return arrays["dense"]
    shape = tuple(int(size) for size in arrays["shape"])
    return sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")

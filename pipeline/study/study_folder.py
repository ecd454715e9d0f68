"""The folder of one study in the object storage: what its stages leave for each other, and what it shows in the end.

Arrays and JSON only. Every write is atomic, so a stage that finds its result there need not work again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.domain.errors import BadArtefact, NotFound
from pipeline.domain.prediction import Modality
from pipeline.features.extractor import Matrix
from pipeline.ports.services import ObjectStorage
from pipeline.study.features import Features
from pipeline.study.study_steps import SupervisedResult

WORK = "work/"
FACTS = "facts"


class StudyFolder:
    """Files under a prefix of the storage; names may have folders of their own."""

    def __init__(self, storage: ObjectStorage, prefix: str) -> None:
        self._storage = storage
        self._prefix = prefix

    def write(self, name: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Store a file, atomically."""
        self._storage.put(self._prefix + name, content, content_type)

    def read(self, name: str) -> bytes | None:
        """The bytes of a file, or None when it is not there."""
        try:
            return self._storage.get(self._prefix + name)
        except NotFound:
            return None

    def write_json(self, name: str, value: Any) -> None:
        """Store what JSON can hold; numbers and arrays of numpy become plain ones."""
        self.write(name, to_json(value), "application/json")

    def read_json(self, name: str) -> Any:
        """What ``write_json`` stored, or None."""
        content = self.read(name)
        return None if content is None else json.loads(content)

    def write_features(self, features: Features) -> None:
        """Keep the features of an extractor for the stages to come."""
        facts = {
            "extractor": features.extractor,
            "modality": features.modality,
            "seconds": features.seconds,
            "memory": features.memory,
            "reused": features.reused,
        }
        arrays = {"has": features.has, **matrix_arrays(features.matrix)}
        self.write(f"{WORK}features/{features.extractor}.npz", pack(arrays, facts))

    def read_features(self, extractor: str) -> Features | None:
        """The features of an extractor, or None when its trial left none."""
        content = self.read(f"{WORK}features/{extractor}.npz")
        if content is None:
            return None
        arrays, facts = unpack(content)
        return Features(
            extractor=facts["extractor"],
            modality=Modality(facts["modality"]),
            matrix=matrix_of(arrays),
            has=arrays["has"],
            seconds=facts["seconds"],
            memory=facts["memory"],
            reused=facts["reused"],
        )

    def write_planes(self, name: str, rows: Sequence[int], planes: NDArray[np.float32]) -> None:
        """Keep the planes of a trial, shape (seeds, m, 2), and which listings lie on them, shape (m,)."""
        arrays: dict[str, NDArray[Any]] = {"rows": np.asarray(rows, np.int64), "planes": planes}
        self.write(f"{WORK}planes/{name}.npz", pack(arrays, {}))

    def read_planes(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """The listings and the planes of a trial, or None."""
        content = self.read(f"{WORK}planes/{name}.npz")
        if content is None:
            return None
        arrays, _ = unpack(content)
        return arrays["rows"], arrays["planes"]

    def write_judged(self, name: str, judged: SupervisedResult) -> None:
        """Keep what a supervised job found."""
        arrays = {} if judged.probabilities is None else {"probabilities": judged.probabilities}
        facts = {"rows": list(judged.rows), "curve": list(judged.curve), "facts": judged.facts}
        self.write(f"{WORK}supervised/{name}.npz", pack(arrays, facts))

    def read_judged(self, name: str) -> SupervisedResult | None:
        """What a supervised job found, or None."""
        content = self.read(f"{WORK}supervised/{name}.npz")
        if content is None:
            return None
        arrays, facts = unpack(content)
        return SupervisedResult(facts["rows"], facts["curve"], arrays.get("probabilities"), facts["facts"])

    def names(self) -> list[str]:
        """The names of all files, in order."""
        return [found.key.removeprefix(self._prefix) for found in self._storage.keys(self._prefix)]

    def clear(self, below: str = "") -> None:
        """Remove the files whose names begin with ``below``, by default all."""
        for name in self.names():
            if name.startswith(below):
                self._storage.delete(self._prefix + name)


def to_json(value: Any) -> bytes:
    """Compact JSON in UTF-8; not-a-number is refused, because browsers do not read it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode()


def pack(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> bytes:
    """Arrays and JSON as one npz, not compressed: dense features hardly shrink, and time is worth more."""
    stream = io.BytesIO()
    parts: Any = {**arrays, FACTS: np.frombuffer(to_json(facts), np.uint8)}
    np.savez(stream, **parts)
    return stream.getvalue()


def unpack(content: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What ``pack`` packed; BadArtefact when the bytes are none of its."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return arrays, json.loads(arrays.pop(FACTS).tobytes())
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise BadArtefact(f"a file of the study is damaged ({error}); start another study") from error


def matrix_arrays(matrix: Matrix) -> dict[str, NDArray[Any]]:
    """A matrix, dense or CSR, as named arrays."""
    if not sparse.issparse(matrix):
        return {"dense": matrix}
    rows = matrix.tocsr()
    return {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": np.array(rows.shape)}


def matrix_of(arrays: Mapping[str, NDArray[Any]]) -> Matrix:
    """The matrix again."""
    if "dense" in arrays:
        return arrays["dense"]
    shape = tuple(int(size) for size in arrays["shape"])
    return sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is nothing JSON can hold")

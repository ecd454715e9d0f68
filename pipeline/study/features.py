"""The features of a study: one vector a listing by one extractor, computed once, and what that cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.features import extractor as factory
from pipeline.features.extractor import ImageExtractor, Matrix, Photo, TextExtractor, TwoStepExtractor
from pipeline.networks import packed_folder
from pipeline.study.photo_batches import decoded, look_at
from pipeline.study.resource_usage import Cost

Progress = Callable[[float, str], None]
CODEBOOK = 800  # photos that an extractor is fitted on: bounds the memory of their descriptors
LARGEST = 500_000_000  # bytes that the vectors of a photo extractor may take; wider ones are projected
PROJECTED = 2_048  # numbers that are left of a vector then, at most
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Features:
    """``matrix`` has shape (n, d), float32, dense or CSR; ``has``, of shape (n,), tells which listings have a vector.

    The others' rows are zeros. ``seconds`` and ``memory`` (bytes) are what computing them cost; ``reused`` counts the
    vectors that were kept from an earlier study.
    """

    extractor: str
    modality: Modality
    matrix: Matrix
    has: NDArray[np.bool_]
    seconds: float
    memory: int
    reused: int


class FeatureStore(Protocol):
    """Vectors kept from study to study, under a key that tells extractor, version, settings and weights."""

    def load(self, key: str) -> tuple[list[str], NDArray[np.float32]] | None:
        """Digests of evidences, and their vectors of shape (digests, d); None when nothing is kept."""
        ...

    def save(self, key: str, digests: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep them in place of what was kept before."""
        ...


class Forgetful:
    """A store that keeps nothing."""

    def load(self, key: str) -> None:
        """None."""

    def save(self, key: str, digests: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Nothing is kept."""


def compute(
    name: str, evidences: Sequence[Evidence], store: FeatureStore, weights: str | None, progress: Progress
) -> Features:
    """Fit an extractor on the listings and describe them; photos are read a few at a time.

    Vectors of a pretrained extractor are taken from the store listing by listing; those of one that learns from the
    catalogue, when the catalogue is the very same. Raises Unavailable when the extractor lacks something here.
    """
    row = extractor_spec(name)
    with Cost() as cost:
        extractor = factory.build_extractor(name, weights)
        progress(0.0, f"{name}: reading {len(evidences)} listings")
        if row.modality is Modality.TEXT:
            matrix, has, reused = _texts(extractor, evidences, store, _key(name, extractor, weights), progress)
        else:
            matrix, has, reused = _photos(extractor, evidences, store, _key(name, extractor, weights), progress)
    progress(1.0, f"{name}: described")
    return Features(name, row.modality, matrix, has, cost.seconds, cost.memory, reused)


Found = tuple[Matrix, NDArray[np.bool_], int]


def _texts(extractor: Any, evidences: Sequence[Evidence], store: FeatureStore, key: str, progress: Progress) -> Found:
    having = [evidence for evidence in evidences if evidence.has_text]
    digests = [_text_digest(evidence) for evidence in having]
    kept = store.load(key)
    if _pretrained(extractor):
        rows, reused = _completed(digests, kept, lambda missing: _encoded(extractor, having, missing, progress))
        store.save(key, digests, rows)
    elif kept is not None and kept[0] == digests:
        rows, reused = kept[1], len(digests)
    else:
        fitting = cast(TextExtractor, extractor)
        progress(0.2, "learning from the texts")
        rows, reused = fitting.fit(having).transform(having), 0
        if not sparse.issparse(rows):  # sparse ones are cheaper to compute than to keep
            store.save(key, digests, rows)
    known = np.asarray(abs(rows).sum(axis=1)).ravel() > 0
    return _in_place(rows, np.array([evidence.has_text for evidence in evidences], bool), known, reused)


def _encoded(
    extractor: Any, having: Sequence[Evidence], missing: Sequence[int], progress: Progress
) -> NDArray[np.float32]:
    extractor.fit([])
    parts = []
    for start in range(0, len(missing), _CHUNK):
        progress(start / len(missing), f"encoding texts ({start} of {len(missing)})")
        parts.append(extractor.transform([having[at] for at in missing[start : start + _CHUNK]]))
    return np.concatenate(parts)


def _photos(extractor: Any, evidences: Sequence[Evidence], store: FeatureStore, key: str, progress: Progress) -> Found:
    kept = store.load(key)
    if isinstance(extractor, TwoStepExtractor):
        return _described(extractor, evidences, store, key, kept, progress)
    known = dict(zip(*kept, strict=True)) if kept else {}
    before = frozenset(known)
    extractor.fit([])

    def look(at: int, digest: str, content: bytes) -> Photo | None:
        return None if digest in before else decoded(content)

    has, digests, vectors, reused = np.zeros(len(evidences), bool), [], [], 0
    for at, digest, picture in look_at(evidences, len(evidences), look, progress, "looking at photos", (0, 1)):
        reused += digest in before
        if digest not in known and picture is not None:
            known[digest] = extractor.transform([picture])[0]
        if digest in known:
            has[at] = True
            digests.append(digest)
            vectors.append(known[digest])
    rows = np.stack(vectors) if vectors else np.zeros((0, 1), np.float32)
    store.save(key, digests, rows)
    return _in_place(rows, has, np.ones(len(rows), bool), reused)


def _described(
    extractor: TwoStepExtractor,
    evidences: Sequence[Evidence],
    store: FeatureStore,
    key: str,
    kept: tuple[list[str], NDArray[np.float32]] | None,
    progress: Progress,
) -> Found:
    """Fit on the descriptors of some photos, then describe all, a few at a time."""
    if kept is not None:
        digests = [hashlib.sha256(e.photo).hexdigest() if e.photo else "" for e in evidences]
        if kept[0] == digests:
            known = np.asarray(abs(kept[1]).sum(axis=1)).ravel() > 0
            return kept[1], known, int(known.sum())
    order = [int(at) for at in np.random.default_rng(0).permutation(len(evidences))]
    shuffled = (evidences[at] for at in order)
    sample: dict[int, NDArray[np.uint8]] = {}

    def describe(at: int, digest: str, content: bytes) -> NDArray[np.uint8] | None:
        picture = decoded(content)
        return None if picture is None else extractor.describe([picture])[0]

    def transform(at: int, digest: str, content: bytes) -> NDArray[np.float32] | None:
        local = sample.pop(at, None)
        local = describe(at, digest, content) if local is None else local
        return None if local is None else extractor.transform_descriptors([local])[0]

    for at, _, local in look_at(shuffled, len(order), describe, progress, "looking at photos", (0.0, 0.5)):
        if local is not None:
            sample[order[at]] = local
        if len(sample) == CODEBOOK:
            break
    if not sample:
        return np.zeros((len(evidences), 1), np.float32), np.zeros(len(evidences), bool), 0
    progress(0.5, "learning what photos look like")
    extractor.fit_descriptors(list(sample.values()))
    vectors: NDArray[np.float32] | None = None
    projection: NDArray[np.float32] | None = None
    digests = [""] * len(evidences)
    has = np.zeros(len(evidences), bool)
    for at, digest, row in look_at(evidences, len(evidences), transform, progress, "describing photos", (0.6, 1.0)):
        digests[at] = digest
        if row is not None:
            if vectors is None:
                projection = _projection(len(evidences), len(row))
                width = len(row) if projection is None else projection.shape[1]
                vectors = np.zeros((len(evidences), width), np.float32)
            vectors[at], has[at] = row if projection is None else row @ projection, True
    assert vectors is not None
    store.save(key, digests, vectors)
    return vectors, has, 0


def _projection(count: int, width: int) -> NDArray[np.float32] | None:
    """A random matrix of shape (width, fewer numbers) for vectors too many and too wide to be held, else None.

    Whatever the vectors, it keeps their angles to a few hundredths (Johnson and Lindenstrauss 1984), and what is
    clustered afterwards is reduced to a hundred numbers anyway.
    """
    if 4 * count * width <= LARGEST:
        return None
    kept = max(1, min(LARGEST // (4 * count), PROJECTED))
    drawn = np.random.default_rng(0).standard_normal((width, kept), np.float32)
    return np.asarray(drawn / np.float32(np.sqrt(kept)), np.float32)


def _completed(
    digests: Sequence[str],
    kept: tuple[list[str], NDArray[np.float32]] | None,
    make: Callable[[Sequence[int]], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], int]:
    """Rows by digest, those missing made now; and how many were there."""
    known = {digest: at for at, digest in enumerate(kept[0])} if kept else {}
    missing = [at for at, digest in enumerate(digests) if digest not in known]
    made = make(missing) if missing else np.zeros((0, 1), np.float32)
    width = made.shape[1] if missing else (kept[1].shape[1] if kept else 1)
    rows = np.zeros((len(digests), width), np.float32)
    rows[missing] = made if missing else 0
    for at, digest in enumerate(digests):
        if digest in known and kept is not None:
            rows[at] = kept[1][known[digest]]
    return rows, len(digests) - len(missing)


def _in_place(rows: Matrix, having: NDArray[np.bool_], known: NDArray[np.bool_], reused: int) -> Found:
    """Rows of the listings that have the evidence, spread over all of them; a row of zeros counts as none."""
    has = having.copy()
    has[having] = known
    if having.all():
        return rows, has, reused
    if sparse.issparse(rows):
        spread = sparse.csr_matrix(
            (np.ones(int(having.sum()), np.float32), (np.flatnonzero(having), np.arange(int(having.sum())))),
            shape=(len(having), int(having.sum())),
        )
        return (spread @ rows).tocsr(), has, reused
    full = np.zeros((len(having), rows.shape[1]), np.float32)
    full[having] = rows
    return full, has, reused


def _pretrained(extractor: object) -> bool:
    return "weights" in cast(Any, extractor).get_params()


def _text_digest(evidence: Evidence) -> str:
    texts = [evidence.name, evidence.description, sorted(evidence.attributes.items())]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _key(name: str, extractor: TextExtractor | ImageExtractor, weights: str | None) -> str:
    """Where vectors are kept: they are good for this version, these settings and these weights only."""
    settings = {
        key: value for key, value in cast(Any, extractor).get_params().items() if key not in ("weights", "threads")
    }
    told = json.dumps([extractor.version, settings, _weights_digest(weights)], default=str, sort_keys=True)
    return f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:24]}"


def _weights_digest(weights: str | None) -> str | None:
    """What tells these weights from others: the digest of a file or folder, else the name or address itself."""
    path = Path(weights) if weights else None
    if path is None or not path.exists():
        return weights
    if path.is_dir():
        return packed_folder.folder_digest(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

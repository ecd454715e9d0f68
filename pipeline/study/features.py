"""The features of a study: one vector a listing by one extractor, computed once, and what that costs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from pipeline.domain.errors import BadImage
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, stage
from pipeline.features import photo_decoding
from pipeline.features.extractor import (
    ImageExtractor,
    Matrix,
    Photo,
    TextExtractor,
    TwoStepExtractor,
    Vectors,
    build_extractor,
)
from pipeline.networks import packed_folder
from pipeline.networks.precision import usable_cores
from pipeline.study.resource_usage import ResourceUsage

FITTED_PHOTOS = 800  # photos that an extractor is fitted on: bounds the memory of their descriptors
MAX_BYTES = 500_000_000  # that the vectors of a photo extractor may take; wider ones are projected
MAX_PROJECTED_DIMENSIONS = 2_048  # numbers of a projected vector
_ENCODED_AT_ONCE = 256
# Decoding and describing leave Python's lock most of the time; more threads than this only take memory.
PHOTO_THREADS = min(usable_cores(), 4)
_PHOTOS_AT_ONCE = 32
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Features:
    """``matrix`` has shape (n, d), float32, dense or CSR; ``present``, shape (n,), marks the listings with a vector.

    The other rows are zeros. ``seconds`` and ``memory`` (bytes) are what computing them cost; ``reused`` counts the
    vectors that were taken from an earlier study.
    """

    extractor: str
    modality: Modality
    matrix: Matrix
    present: NDArray[np.bool_]
    seconds: float
    memory: int
    reused: int


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """Vectors of an earlier study, shape (n, d), and the digests of the evidence they were computed from."""

    digests: Sequence[str]
    vectors: NDArray[np.float32]


class FeatureStore(Protocol):
    """Vectors kept from study to study, under a key made of extractor, version, settings and weights."""

    def load(self, key: str) -> StoredVectors | None:
        """The vectors kept under a key; None when there are none."""
        ...

    def save(self, key: str, stored: StoredVectors) -> None:
        """Keep vectors in place of those kept before."""
        ...


class NoFeatureStore:
    """A store that keeps nothing."""

    def load(self, key: str) -> None:
        """None."""

    def save(self, key: str, stored: StoredVectors) -> None:
        """Keep nothing."""


def compute_features(
    name: str, evidences: Sequence[Evidence], store: FeatureStore, weights: str | None, progress: Progress
) -> Features:
    """Fit an extractor on the listings and compute their vectors; photos are read a few at a time.

    Vectors of a pretrained extractor are taken from the store listing by listing; those of one that learns from the
    catalogue, only when the catalogue is the same. Raises Unavailable when the extractor lacks something here.
    """
    modality = extractor_spec(name).modality
    with ResourceUsage() as usage:
        extractor = build_extractor(name, weights)
        source = _FeatureSource(evidences, store, _store_key(name, extractor, weights), progress)
        progress(0.0, f"{name}: reading {len(evidences)} listings")
        if modality is Modality.TEXT:
            computed = source.of_texts(cast(TextExtractor, extractor))
        elif isinstance(extractor, TwoStepExtractor):
            computed = source.of_fitted_photos(extractor)
        else:
            computed = source.of_photos(cast(ImageExtractor, extractor))
    progress(1.0, f"{name}: described")
    return Features(name, modality, computed.matrix, computed.present, usage.seconds, usage.memory, computed.reused)


@dataclass(frozen=True, slots=True)
class _Computed:
    """``matrix``, ``present`` and ``reused`` of Features."""

    matrix: Matrix
    present: NDArray[np.bool_]
    reused: int


@dataclass(frozen=True, slots=True)
class _FeatureSource:
    """Computes the vectors of some evidence by one extractor, or takes them from the store under ``key``."""

    evidences: Sequence[Evidence]
    store: FeatureStore
    key: str
    progress: Progress

    def of_texts(self, extractor: TextExtractor) -> _Computed:
        """Vectors of texts; a row of zeros counts as no vector."""
        has_text = np.array([evidence.has_text for evidence in self.evidences], bool)
        texts = [evidence for evidence in self.evidences if evidence.has_text]
        digests = [_text_digest(evidence) for evidence in texts]
        stored = self.store.load(self.key)
        if _is_pretrained(extractor):
            rows, reused = self._encode_missing(extractor, texts, digests, stored)
            self.store.save(self.key, StoredVectors(digests, rows))
        elif stored is not None and list(stored.digests) == digests:
            rows, reused = stored.vectors, len(digests)
        else:
            self.progress(0.2, "learning from the texts")
            rows, reused = extractor.fit(texts).transform(texts), 0
            if not sparse.issparse(rows):  # sparse ones are cheaper to compute than to store
                self.store.save(self.key, StoredVectors(digests, rows))
        return _scatter_rows(rows, has_text, _nonzero(rows), reused)

    def _encode_missing(
        self, extractor: TextExtractor, texts: Sequence[Evidence], digests: Sequence[str], stored: StoredVectors | None
    ) -> tuple[Vectors, int]:
        """The vectors of all texts, those that are not stored encoded now, and how many were stored."""
        row_of = {digest: row for row, digest in enumerate(stored.digests)} if stored else {}
        missing = [index for index, digest in enumerate(digests) if digest not in row_of]
        encoded = []
        if missing:
            extractor.fit([])
        for start in range(0, len(missing), _ENCODED_AT_ONCE):
            self.progress(start / len(missing), f"encoding texts ({start} of {len(missing)})")
            encoded.append(extractor.transform([texts[index] for index in missing[start : start + _ENCODED_AT_ONCE]]))
        known = encoded[0] if encoded else None if stored is None else stored.vectors
        rows = np.zeros((len(digests), 1 if known is None else known.shape[1]), np.float32)
        if encoded:
            rows[missing] = np.concatenate(encoded)
        for index, digest in enumerate(digests):
            if stored is not None and digest in row_of:
                rows[index] = stored.vectors[row_of[digest]]
        return rows, len(digests) - len(missing)

    def of_photos(self, extractor: ImageExtractor) -> _Computed:
        """Vectors of a pretrained extractor, computed for new photos only."""
        stored = self.store.load(self.key)
        vector_of = dict(zip(stored.digests, stored.vectors, strict=True)) if stored else {}
        known_before = frozenset(vector_of)
        extractor.fit([])

        def decode_new(_index: int, digest: str, content: bytes) -> Photo | None:
            return None if digest in known_before else _decode(content)

        present = np.zeros(len(self.evidences), bool)
        digests, vectors, reused = [], [], 0
        photos = _map_photos(self.evidences, len(self.evidences), decode_new, self.progress, "looking at photos")
        for photo in photos:
            reused += photo.digest in known_before
            if photo.digest not in vector_of and photo.result is not None:
                vector_of[photo.digest] = extractor.transform([photo.result])[0]
            if photo.digest in vector_of:
                present[photo.index] = True
                digests.append(photo.digest)
                vectors.append(vector_of[photo.digest])
        rows = np.stack(vectors) if vectors else np.zeros((0, 1), np.float32)
        self.store.save(self.key, StoredVectors(digests, rows))
        return _scatter_rows(rows, present, np.ones(len(rows), bool), reused)

    def of_fitted_photos(self, extractor: TwoStepExtractor) -> _Computed:
        """Vectors of an extractor that is fitted on the descriptors of some photos and then describes all."""
        stored = self.store.load(self.key)
        if stored is not None:
            digests = [hashlib.sha256(each.photo).hexdigest() if each.photo else "" for each in self.evidences]
            if list(stored.digests) == digests:
                present = _nonzero(stored.vectors)
                return _Computed(stored.vectors, present, int(present.sum()))
        fitted_on = self._describe_sample(extractor)
        if not fitted_on:
            return _Computed(np.zeros((len(self.evidences), 1), np.float32), np.zeros(len(self.evidences), bool), 0)
        self.progress(0.5, "learning what photos look like")
        extractor.fit_descriptors(list(fitted_on.values()))
        return self._describe_all(extractor, fitted_on)

    def _describe_sample(self, extractor: TwoStepExtractor) -> dict[int, NDArray[np.uint8]]:
        """The descriptors of FITTED_PHOTOS photos, drawn evenly, by the index of their listing."""

        def describe(_index: int, _digest: str, content: bytes) -> NDArray[np.uint8] | None:
            return _describe(extractor, content)

        order = [int(index) for index in np.random.default_rng(0).permutation(len(self.evidences))]
        shuffled = (self.evidences[index] for index in order)
        progress = stage(self.progress, 0.0, 0.5)
        descriptors: dict[int, NDArray[np.uint8]] = {}
        for photo in _map_photos(shuffled, len(order), describe, progress, "looking at photos"):
            if photo.result is not None:
                descriptors[order[photo.index]] = photo.result
            if len(descriptors) == FITTED_PHOTOS:
                break
        return descriptors

    def _describe_all(self, extractor: TwoStepExtractor, known: dict[int, NDArray[np.uint8]]) -> _Computed:
        """The vectors of all photos; ``known`` descriptors, by index, are used and dropped."""

        def transform(index: int, _digest: str, content: bytes) -> NDArray[np.float32] | None:
            descriptors = known.pop(index, None)
            descriptors = _describe(extractor, content) if descriptors is None else descriptors
            return None if descriptors is None else extractor.transform_descriptors([descriptors])[0]

        count = len(self.evidences)
        digests, present = [""] * count, np.zeros(count, bool)
        vectors: NDArray[np.float32] | None = None
        projection: NDArray[np.float32] | None = None
        progress = stage(self.progress, 0.6, 1.0)
        for photo in _map_photos(self.evidences, count, transform, progress, "describing photos"):
            digests[photo.index] = photo.digest
            if photo.result is None:
                continue
            if vectors is None:
                projection = _projection(count, len(photo.result))
                width = len(photo.result) if projection is None else projection.shape[1]
                vectors = np.zeros((count, width), np.float32)
            vectors[photo.index] = photo.result if projection is None else photo.result @ projection
            present[photo.index] = True
        assert vectors is not None
        self.store.save(self.key, StoredVectors(digests, vectors))
        return _Computed(vectors, present, 0)


@dataclass(frozen=True, slots=True)
class _PhotoResult(Generic[Result]):
    """The index of a listing, the SHA-256 (hex) of its photo, and what was made of it."""

    index: int
    digest: str
    result: Result


def _map_photos(
    evidences: Iterable[Evidence],
    count: int,
    work: Callable[[int, str, bytes], Result],
    progress: Progress,
    note: str,
) -> Iterator[_PhotoResult[Result]]:
    """``work`` of index, digest and bytes of each photo, in threads, in order; listings without one are skipped.

    A few photos are read ahead, so that never all are in memory; ``count`` is the number of listings.
    """

    def apply(numbered: tuple[int, Evidence]) -> _PhotoResult[Result] | None:
        index, evidence = numbered
        if evidence.photo is None:
            return None
        digest = hashlib.sha256(evidence.photo).hexdigest()
        return _PhotoResult(index, digest, work(index, digest, evidence.photo))

    remaining = enumerate(evidences)
    # The matrices of one photo are small: each thread computes on its own.
    with threadpool_limits(1), ThreadPoolExecutor(PHOTO_THREADS) as pool:
        while ahead := list(islice(remaining, _PHOTOS_AT_ONCE)):
            progress(ahead[0][0] / count, f"{note} ({ahead[0][0]} of {count})")
            yield from (photo for photo in pool.map(apply, ahead) if photo is not None)


def _decode(content: bytes) -> Photo | None:
    """The decoded picture, or None for bytes that are not a picture."""
    try:
        return photo_decoding.decode_photo(content)
    except BadImage:
        return None


def _describe(extractor: TwoStepExtractor, content: bytes) -> NDArray[np.uint8] | None:
    picture = _decode(content)
    return None if picture is None else extractor.describe([picture])[0]


def _projection(count: int, width: int) -> NDArray[np.float32] | None:
    """A random matrix of shape (width, fewer) for vectors that would not fit in memory; None where they do.

    Whatever the vectors, it keeps their angles to a few hundredths (Johnson and Lindenstrauss 1984), and what is
    clustered afterwards is reduced to a hundred numbers anyway.
    """
    if 4 * count * width <= MAX_BYTES:
        return None
    columns = max(1, min(MAX_BYTES // (4 * count), MAX_PROJECTED_DIMENSIONS))
    drawn = np.random.default_rng(0).standard_normal((width, columns), np.float32)
    return np.asarray(drawn / np.float32(np.sqrt(columns)), np.float32)


def _scatter_rows(rows: Matrix, having: NDArray[np.bool_], nonzero: NDArray[np.bool_], reused: int) -> _Computed:
    """Rows of the listings ``having`` the evidence, spread over all of them; a row that is not ``nonzero`` is none."""
    present = having.copy()
    present[having] = nonzero
    if having.all():
        return _Computed(rows, present, reused)
    count = int(having.sum())
    if sparse.issparse(rows):
        placement = (np.ones(count, np.float32), (np.flatnonzero(having), np.arange(count)))
        spread = sparse.csr_matrix(placement, shape=(len(having), count))
        return _Computed((spread @ rows).tocsr(), present, reused)
    full = np.zeros((len(having), rows.shape[1]), np.float32)
    full[having] = rows
    return _Computed(full, present, reused)


def _nonzero(rows: Matrix) -> NDArray[np.bool_]:
    """A mask of the rows that are not all zeros."""
    return np.asarray(np.asarray(abs(rows).sum(axis=1)).ravel() > 0)


def _is_pretrained(extractor: object) -> bool:
    return "weights" in cast(Any, extractor).get_params()


def _text_digest(evidence: Evidence) -> str:
    texts = [evidence.name, evidence.description, sorted(evidence.attributes.items())]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _store_key(name: str, extractor: TextExtractor | ImageExtractor, weights: str | None) -> str:
    """The key of stored vectors: they are good for this version, these settings and these weights only."""
    settings = {
        key: value for key, value in cast(Any, extractor).get_params().items() if key not in ("weights", "threads")
    }
    identity = json.dumps([extractor.version, settings, _weights_digest(weights)], default=str, sort_keys=True)
    return f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"


def _weights_digest(weights: str | None) -> str | None:
    """The digest of a file or folder of weights; a name or address is returned as it is."""
    path = Path(weights) if weights else None
    if path is None or not path.exists():
        return weights
    if path.is_dir():
        return packed_folder.folder_digest(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Features of a study: one vector per listing and extractor, computed once, with the cost of computing them."""

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

MAX_FITTING_PHOTOS = 800  # photos that an extractor is fitted on: bounds the memory of their descriptors
MAX_VECTOR_BYTES = 500_000_000  # total size of a photo extractor's vectors; wider vectors are projected
MAX_PROJECTED_DIMENSIONS = 2_048
_TEXT_CHUNK = 256
# Decoding and describing release the GIL most of the time; more threads than this only take memory.
PHOTO_THREADS = min(usable_cores(), 4)
_PHOTO_CHUNK = 32
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Features:
    """``matrix`` has shape (n, d), float32, dense or CSR; ``present``, shape (n,), marks the listings with a vector.

    The other rows are zeros. ``seconds`` and ``memory`` (bytes) are the cost of computing them; ``reused`` counts the
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
    """Vectors that later studies reuse, by a key made of extractor, version, settings and weights."""

    def load(self, key: str) -> StoredVectors | None:
        """The vectors stored under a key; None if there are none."""
        ...

    def save(self, key: str, stored: StoredVectors) -> None:
        """Store vectors under a key, replacing any stored before."""
        ...


class NoFeatureStore:
    """A feature store that stores nothing."""

    def load(self, key: str) -> None:
        """Always None."""

    def save(self, key: str, stored: StoredVectors) -> None:
        """Do nothing."""


def compute_features(
    name: str, evidences: Sequence[Evidence], store: FeatureStore, weights: str | None, progress: Progress
) -> Features:
    """Fit an extractor on the listings and compute their vectors; photos are read a few at a time.

    Stored vectors are reused: per listing for a pretrained extractor, and only for the same catalogue if the extractor
    learns from it. Raises Unavailable when the extractor's weights or libraries are missing.
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
    progress(1.0, f"{name}: features computed")
    return Features(name, modality, computed.matrix, computed.present, usage.seconds, usage.memory, computed.reused)


@dataclass(frozen=True, slots=True)
class _ComputedVectors:
    """``matrix``, ``present`` and ``reused`` of ``Features``."""

    matrix: Matrix
    present: NDArray[np.bool_]
    reused: int


@dataclass(frozen=True, slots=True)
class _FeatureSource:
    """Computes the vectors of the evidence with one extractor, or loads them from the store under ``key``."""

    evidences: Sequence[Evidence]
    store: FeatureStore
    key: str
    progress: Progress

    def of_texts(self, extractor: TextExtractor) -> _ComputedVectors:
        """The vectors of texts; a row of zeros counts as no vector."""
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
            self.progress(0.2, "fitting the extractor on the texts")
            rows, reused = extractor.fit(texts).transform(texts), 0
            if not sparse.issparse(rows):  # sparse ones are cheaper to compute than to store
                self.store.save(self.key, StoredVectors(digests, rows))
        return _scatter_rows(rows, has_text, _nonzero(rows), reused)

    def _encode_missing(
        self, extractor: TextExtractor, texts: Sequence[Evidence], digests: Sequence[str], stored: StoredVectors | None
    ) -> tuple[Vectors, int]:
        """The vectors of all texts, encoding those that are not stored, and the number of stored ones."""
        row_of = {digest: row for row, digest in enumerate(stored.digests)} if stored else {}
        missing = [index for index, digest in enumerate(digests) if digest not in row_of]
        encoded_chunks = []
        if missing:
            extractor.fit([])
        for start in range(0, len(missing), _TEXT_CHUNK):
            self.progress(start / len(missing), f"encoding texts ({start} of {len(missing)})")
            encoded_chunks.append(extractor.transform([texts[index] for index in missing[start : start + _TEXT_CHUNK]]))
        any_vectors = encoded_chunks[0] if encoded_chunks else None if stored is None else stored.vectors
        vectors = np.zeros((len(digests), 1 if any_vectors is None else any_vectors.shape[1]), np.float32)
        if encoded_chunks:
            vectors[missing] = np.concatenate(encoded_chunks)
        for index, digest in enumerate(digests):
            if stored is not None and digest in row_of:
                vectors[index] = stored.vectors[row_of[digest]]
        return vectors, len(digests) - len(missing)

    def of_photos(self, extractor: ImageExtractor) -> _ComputedVectors:
        """The vectors of a pretrained photo extractor, computed for new photos only."""
        stored = self.store.load(self.key)
        vector_of = dict(zip(stored.digests, stored.vectors, strict=True)) if stored else {}
        known_digests = frozenset(vector_of)
        extractor.fit([])

        def decode_if_new(_index: int, digest: str, content: bytes) -> Photo | None:
            return None if digest in known_digests else _decode(content)

        present = np.zeros(len(self.evidences), bool)
        digests, vectors, reused = [], [], 0
        photos = _map_photos(self.evidences, len(self.evidences), decode_if_new, self.progress, "reading photos")
        for photo in photos:
            reused += photo.digest in known_digests
            if photo.digest not in vector_of and photo.result is not None:
                vector_of[photo.digest] = extractor.transform([photo.result])[0]
            if photo.digest in vector_of:
                present[photo.index] = True
                digests.append(photo.digest)
                vectors.append(vector_of[photo.digest])
        stacked = np.stack(vectors) if vectors else np.zeros((0, 1), np.float32)
        self.store.save(self.key, StoredVectors(digests, stacked))
        return _scatter_rows(stacked, present, np.ones(len(stacked), bool), reused)

    def of_fitted_photos(self, extractor: TwoStepExtractor) -> _ComputedVectors:
        """The vectors of an extractor that is fitted on the descriptors of a sample of photos, then applied to all."""
        stored = self.store.load(self.key)
        if stored is not None:
            digests = [
                hashlib.sha256(evidence.photo).hexdigest() if evidence.photo else "" for evidence in self.evidences
            ]
            if list(stored.digests) == digests:
                present = _nonzero(stored.vectors)
                return _ComputedVectors(stored.vectors, present, int(present.sum()))
        known_descriptors = self._describe_sample(extractor)
        if not known_descriptors:
            return _ComputedVectors(
                np.zeros((len(self.evidences), 1), np.float32), np.zeros(len(self.evidences), bool), 0
            )
        self.progress(0.5, "fitting the extractor on the photos")
        extractor.fit_descriptors(list(known_descriptors.values()))
        return self._describe_all(extractor, known_descriptors)

    def _describe_sample(self, extractor: TwoStepExtractor) -> dict[int, NDArray[np.uint8]]:
        """The descriptors of at most MAX_FITTING_PHOTOS photos, drawn at random, by the index of their listing."""

        def describe(_index: int, _digest: str, content: bytes) -> NDArray[np.uint8] | None:
            return _describe(extractor, content)

        order = [int(index) for index in np.random.default_rng(0).permutation(len(self.evidences))]
        shuffled = (self.evidences[index] for index in order)
        progress = stage(self.progress, 0.0, 0.5)
        descriptors: dict[int, NDArray[np.uint8]] = {}
        for photo in _map_photos(shuffled, len(order), describe, progress, "reading photos"):
            if photo.result is not None:
                descriptors[order[photo.index]] = photo.result
            if len(descriptors) == MAX_FITTING_PHOTOS:
                break
        return descriptors

    def _describe_all(
        self, extractor: TwoStepExtractor, known_descriptors: dict[int, NDArray[np.uint8]]
    ) -> _ComputedVectors:
        """The vectors of all photos; ``known_descriptors``, by index, are used and removed one by one."""

        def transform(index: int, _digest: str, content: bytes) -> NDArray[np.float32] | None:
            descriptors = known_descriptors.pop(index, None)
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
        return _ComputedVectors(vectors, present, 0)


@dataclass(frozen=True, slots=True)
class _PhotoResult(Generic[Result]):
    """The index of a listing, the SHA-256 (hex) of its photo, and the result computed from the photo."""

    index: int
    digest: str
    result: Result


def _map_photos(
    evidences: Iterable[Evidence],
    count: int,
    apply_to_photo: Callable[[int, str, bytes], Result],
    progress: Progress,
    note: str,
) -> Iterator[_PhotoResult[Result]]:
    """Apply a function of index, digest and bytes to each photo, in threads; yields the results in order.

    Listings without a photo are skipped. Only a few photos are in memory at a time. ``count`` is the number of
    listings.
    """

    def process_photo(indexed_evidence: tuple[int, Evidence]) -> _PhotoResult[Result] | None:
        index, evidence = indexed_evidence
        if evidence.photo is None:
            return None
        digest = hashlib.sha256(evidence.photo).hexdigest()
        return _PhotoResult(index, digest, apply_to_photo(index, digest, evidence.photo))

    remaining = enumerate(evidences)
    # The matrices of one photo are small: linear algebra gains nothing from more threads.
    with threadpool_limits(1), ThreadPoolExecutor(PHOTO_THREADS) as pool:
        while chunk := list(islice(remaining, _PHOTO_CHUNK)):
            progress(chunk[0][0] / count, f"{note} ({chunk[0][0]} of {count})")
            yield from (photo for photo in pool.map(process_photo, chunk) if photo is not None)


def _decode(content: bytes) -> Photo | None:
    """The decoded photo, or None for bytes that are not an image."""
    try:
        return photo_decoding.decode_photo(content)
    except BadImage:
        return None


def _describe(extractor: TwoStepExtractor, content: bytes) -> NDArray[np.uint8] | None:
    photo = _decode(content)
    return None if photo is None else extractor.describe([photo])[0]


def _projection(count: int, width: int) -> NDArray[np.float32] | None:
    """A random matrix that projects ``count`` vectors of ``width`` dimensions to fewer; None if they fit in memory.

    It preserves the angles between any vectors to a few hundredths (Johnson and Lindenstrauss 1984), and clustering
    reduces them to at most 100 dimensions anyway.
    """
    if 4 * count * width <= MAX_VECTOR_BYTES:
        return None
    n_columns = max(1, min(MAX_VECTOR_BYTES // (4 * count), MAX_PROJECTED_DIMENSIONS))
    matrix = np.random.default_rng(0).standard_normal((width, n_columns), np.float32)
    return np.asarray(matrix / np.float32(np.sqrt(n_columns)), np.float32)


def _scatter_rows(
    rows: Matrix, has_evidence: NDArray[np.bool_], is_nonzero: NDArray[np.bool_], reused: int
) -> _ComputedVectors:
    """Scatter the rows of the listings that have the evidence to all listings; rows of zeros count as no vector."""
    present = has_evidence.copy()
    present[has_evidence] = is_nonzero
    if has_evidence.all():
        return _ComputedVectors(rows, present, reused)
    count = int(has_evidence.sum())
    if sparse.issparse(rows):
        entries = (np.ones(count, np.float32), (np.flatnonzero(has_evidence), np.arange(count)))
        scatter = sparse.csr_matrix(entries, shape=(len(has_evidence), count))
        return _ComputedVectors((scatter @ rows).tocsr(), present, reused)
    scattered = np.zeros((len(has_evidence), rows.shape[1]), np.float32)
    scattered[has_evidence] = rows
    return _ComputedVectors(scattered, present, reused)


def _nonzero(rows: Matrix) -> NDArray[np.bool_]:
    """A mask of the rows that are not all zeros."""
    return np.asarray(np.asarray(abs(rows).sum(axis=1)).ravel() > 0)


def _is_pretrained(extractor: object) -> bool:
    return "weights" in cast(Any, extractor).get_params()


def _text_digest(evidence: Evidence) -> str:
    texts = [evidence.name, evidence.description, sorted(evidence.attributes.items())]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _store_key(name: str, extractor: TextExtractor | ImageExtractor, weights: str | None) -> str:
    """The key of stored vectors: they are valid only for this version, these settings and these weights."""
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

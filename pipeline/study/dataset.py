"""The listings of a study: how they are drawn, their fingerprint, and how their photos are read when needed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.cross_validation import CACHE_BYTES
from pipeline.classification.photo_reader import PhotoReader, prefetch
from pipeline.classification.targets import category_at_level, choose_level
from pipeline.classification.training import make_photo_reader
from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import StudyPlan
from pipeline.domain.study_report import StudiedListing

READ_THREADS = 8
MIN_CATEGORY_SIZE = 2  # listings; smaller categories are left out
MIN_LISTINGS = 20


@dataclass(frozen=True, slots=True)
class DrawnSample:
    """The level, the sorted ``categories``, the ``indices`` of the drawn listings (ascending), and their ``labels``."""

    level: int
    categories: tuple[str, ...]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]


def draw_sample(categories: Sequence[str], plan: StudyPlan) -> DrawnSample:
    """At most ``plan.sample`` listings, each category keeping its share; the same input gives the same sample.

    ``categories`` are full paths, one per listing. Where ``plan.level`` is None the level is the one that training
    would take: the deepest whose categories are large enough to learn. Raises InvalidInput when there is too little to
    study.
    """
    if not categories:
        raise InvalidInput(Reason.of(ReasonCode.NO_LABELLED_LISTINGS))
    level = plan.level or _level_to_study(categories)
    names = [category_at_level(category, level) for category in categories]
    counts = Counter(names)
    kept = tuple(sorted(name for name, count in counts.items() if count >= MIN_CATEGORY_SIZE))
    label_of = {name: label for label, name in enumerate(kept)}
    indices = np.array([index for index, name in enumerate(names) if name in label_of], np.int64)
    if len(kept) < 2 or len(indices) < MIN_LISTINGS:
        found = {"listings": len(indices), "categories": len(kept)}
        least = {"least": MIN_LISTINGS, "least_each": MIN_CATEGORY_SIZE}
        raise InvalidInput(Reason.of(ReasonCode.TOO_FEW_LABELLED_LISTINGS, level=level, **found, **least))
    labels = np.array([label_of[names[index]] for index in indices], np.int64)
    if plan.sample is not None and plan.sample < len(indices):
        drawn = stratified_sample(labels, plan.sample)
        indices, labels = indices[drawn], labels[drawn]
        present = np.unique(labels)
        kept = tuple(kept[label] for label in present)
        labels = np.searchsorted(present, labels).astype(np.int64)
    return DrawnSample(level, kept, indices, labels)


def stratified_sample(labels: NDArray[np.int64], count: int, seed: int = 0) -> NDArray[np.int64]:
    """``count`` positions (ascending), shared out over the labels by largest remainder.

    Each label gets at least MIN_CATEGORY_SIZE; where there are too many labels for that, the most frequent ones do.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(labels)
    order = np.argsort(-sizes, kind="stable")[: max(count // MIN_CATEGORY_SIZE, 1)]
    shares = np.zeros(len(sizes), np.int64)
    exact = sizes[order] * (count / sizes[order].sum())
    shares[order] = np.maximum(np.floor(exact), np.minimum(MIN_CATEGORY_SIZE, sizes[order])).astype(np.int64)
    for label in order[np.argsort(-(exact - np.floor(exact)), kind="stable")]:
        if shares.sum() >= count:
            break
        shares[label] += shares[label] < sizes[label]
    while shares.sum() > count:
        shares[int(np.argmax(shares))] -= 1
    drawn = [rng.permutation(np.flatnonzero(labels == label))[:share] for label, share in enumerate(shares) if share]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def dataset_fingerprint(
    keys: Sequence[str], texts: Sequence[Evidence], photo_digests: Sequence[str | None], categories: Sequence[str]
) -> str:
    """SHA-256 (hex) of the studied keys, texts, photo digests and categories, independent of their order."""
    rows = sorted(
        json.dumps([key, category, text.name, text.description, sorted(text.attributes.items()), photo])
        for key, text, photo, category in zip(keys, texts, photo_digests, categories, strict=True)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _level_to_study(categories: Sequence[str]) -> int:
    """The level that training would take, or the first one below it with more than one category."""
    level_of_training = choose_level(categories)
    deepest = max(Category.parse(category).level for category in categories)
    for level in range(level_of_training, deepest + 1):
        counts = Counter(category_at_level(category, level) for category in categories)
        if sum(count >= MIN_CATEGORY_SIZE for count in counts.values()) > 1:
            return level
    return level_of_training


@dataclass(frozen=True, slots=True)
class StudyDataset:
    """The listings of a study. ``texts`` are their evidence without photos, ``photos`` the same with them.

    ``labels``, shape (n,), are indices into ``categories``, which are those of ``level``; ``paths`` are the full ones.
    ``attributions`` must be shown beside the listings; empty where none has one. ``listings`` counts all the labelled
    listings that the sample was drawn from.
    """

    level: int
    categories: tuple[str, ...]
    labels: NDArray[np.int64]
    fingerprint: str
    listings: int
    keys: Sequence[str]
    listing_ids: Sequence[int | None]
    texts: Sequence[Evidence]
    photos: Sequence[Evidence]
    paths: Sequence[str] = ()
    attributions: Sequence[str | None] = ()

    @property
    def n_categories(self) -> int:
        """The number of categories."""
        return len(self.categories)

    def report_rows(self) -> tuple[StudiedListing, ...]:
        """The listings as the report has them; their attributions are indices into ``distinct_attributions``."""
        index_of = {attribution: index for index, attribution in enumerate(self.distinct_attributions())}
        attributions = self.attributions or [None] * len(self.keys)
        return tuple(
            StudiedListing(key, listing_id, text.name, int(label), index_of[attribution] if attribution else None)
            for key, listing_id, text, label, attribution in zip(
                self.keys, self.listing_ids, self.texts, self.labels, attributions, strict=True
            )
        )

    def distinct_attributions(self) -> tuple[str, ...]:
        """The attributions of the listings, each once."""
        return tuple(dict.fromkeys(filter(None, self.attributions)))

    def photo(self, row: int) -> bytes | None:
        """The photo of a listing, or None; several threads may call it."""
        return self.photos[row].photo


class LazyPhotos(Sequence[Evidence]):
    """Evidence whose photo is read each time it is asked for; ``read`` returns None for a photo that is gone.

    Iterating reads a few photos ahead, in threads.
    """

    def __init__(
        self, texts: Sequence[Evidence], references: Sequence[str | None], read: Callable[[str], bytes | None]
    ) -> None:
        self._texts = texts
        self._references = references
        self._read = read

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, row: int) -> Evidence: ...

    @overload
    def __getitem__(self, row: slice) -> list[Evidence]: ...

    def __getitem__(self, row: int | slice) -> Evidence | list[Evidence]:
        """One listing's evidence with its photo, or several."""
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        reference = self._references[row]
        return replace(self._texts[row], photo=None if reference is None else self._read(reference))

    def __iter__(self) -> Iterator[Evidence]:
        def read(row: int) -> Evidence:
            return self[row]

        return prefetch(read, range(len(self)), READ_THREADS)


class DatasetPhotoReader(PhotoReader):
    """A photo reader for examples that carry a digest in place of their photo, see ``digest_examples``."""

    def __init__(
        self,
        image_extractors: Sequence[str],
        weights: Mapping[str, str],
        photos: Sequence[Evidence],
        rows: Mapping[bytes, int],
    ) -> None:
        super().__init__(make_photo_reader(image_extractors, weights).extractors, CACHE_BYTES)
        self._photos = photos
        self._rows = rows

    def photo_bytes(self, photo: bytes) -> bytes | None:
        """The photo of this SHA-256."""
        return self._photos[self._rows[photo]].photo


@dataclass(frozen=True, slots=True)
class DigestExamples:
    """Examples with the SHA-256 of their photo in place of it, and, by digest, a row where the photo can be read.

    Equal photos have equal digests, so folds are grouped as they would be by the photos themselves.
    """

    examples: list[Example]
    rows: Mapping[bytes, int]

    @classmethod
    def of(cls, dataset: StudyDataset) -> DigestExamples:
        """The listings of a study; each photo is read once."""
        rows: dict[bytes, int] = {}
        examples = []
        for row, evidence in enumerate(dataset.photos):
            digest = hashlib.sha256(evidence.photo).digest() if evidence.photo else None
            if digest is not None:
                rows.setdefault(digest, row)
            category = dataset.categories[int(dataset.labels[row])]
            examples.append(Example(dataset.keys[row], replace(evidence, photo=digest), category))
        return cls(examples, rows)


def without_photos(evidences: Sequence[Evidence]) -> list[Evidence]:
    """The same evidence without photos."""
    return [replace(evidence, photo=None, photo_problem=None) for evidence in evidences]


def without_attributes(examples: Sequence[Example]) -> list[Example]:
    """The same listings with name, description and photo only."""
    return [replace(example, evidence=replace(example.evidence, attributes={})) for example in examples]

"""The dataset of a study: its sampled listings, their rows in the report, and their fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.listing import Evidence, Example
from pipeline.domain.study_report import StudiedListing


def dataset_fingerprint(
    keys: Sequence[str],
    text_evidences: Sequence[Evidence],
    photo_digests: Sequence[str | None],
    categories: Sequence[str],
) -> str:
    """SHA-256 (hex) of the keys, texts, photo digests and categories of the listings, independent of their order."""
    rows = sorted(
        json.dumps(
            [key, category, evidence.name, evidence.description, sorted(evidence.attributes.items()), photo_digest]
        )
        for key, evidence, photo_digest, category in zip(keys, text_evidences, photo_digests, categories, strict=True)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class StudyDataset:
    """The n listings of a study. ``evidences`` include the photos; ``text_evidences`` are the same without them.

    ``labels``, shape (n,), are indices into ``categories``, which are those of ``level``; ``paths`` are the full
    categories. ``attributions`` must be shown beside the listings; empty if no listing has one. ``n_labelled`` is the
    number of labelled listings that the sample was drawn from.
    """

    level: int
    categories: tuple[str, ...]
    labels: NDArray[np.int64]
    fingerprint: str
    n_labelled: int
    keys: Sequence[str]
    listing_ids: Sequence[int | None]
    text_evidences: Sequence[Evidence]
    evidences: Sequence[Evidence]
    paths: Sequence[str] = ()
    attributions: Sequence[str | None] = ()

    @property
    def n_categories(self) -> int:
        """The number of categories."""
        return len(self.categories)

    def report_rows(self) -> tuple[StudiedListing, ...]:
        """The rows of the report; their attributions are indices into ``distinct_attributions``."""
        index_of = {attribution: index for index, attribution in enumerate(self.distinct_attributions())}
        attributions = self.attributions or [None] * len(self.keys)
        return tuple(
            StudiedListing(key, listing_id, evidence.name, int(label), index_of[attribution] if attribution else None)
            for key, listing_id, evidence, label, attribution in zip(
                self.keys, self.listing_ids, self.text_evidences, self.labels, attributions, strict=True
            )
        )

    def distinct_attributions(self) -> tuple[str, ...]:
        """The attributions of the listings, without repetition."""
        return tuple(dict.fromkeys(filter(None, self.attributions)))

    def photo(self, row: int) -> bytes | None:
        """The photo of a listing, or None; safe to call from several threads."""
        return self.evidences[row].photo


def without_photos(evidences: Sequence[Evidence]) -> list[Evidence]:
    """Copies of the evidence without photos."""
    return [replace(evidence, photo=None, photo_problem=None) for evidence in evidences]


def without_attributes(examples: Sequence[Example]) -> list[Example]:
    """Copies of the examples with name, description and photo only."""
    return [replace(example, evidence=replace(example.evidence, attributes={})) for example in examples]

"""The listings of a study, their report rows, and their fingerprint."""

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
    keys: Sequence[str], texts: Sequence[Evidence], photo_digests: Sequence[str | None], categories: Sequence[str]
) -> str:
    """SHA-256 (hex) of the studied keys, texts, photo digests and categories, independent of their order."""
    rows = sorted(
        json.dumps([key, category, text.name, text.description, sorted(text.attributes.items()), photo])
        for key, text, photo, category in zip(keys, texts, photo_digests, categories, strict=True)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


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


def without_photos(evidences: Sequence[Evidence]) -> list[Evidence]:
    """The same evidence without photos."""
    return [replace(evidence, photo=None, photo_problem=None) for evidence in evidences]


def without_attributes(examples: Sequence[Example]) -> list[Example]:
    """The same listings with name, description and photo only."""
    return [replace(example, evidence=replace(example.evidence, attributes={})) for example in examples]

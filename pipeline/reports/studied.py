"""The frozen listings of a study; their photos are read when somebody looks at them, so that any number fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.ahead import ahead
from pipeline.domain.listing import Evidence

READ_THREADS = 8


@dataclass(frozen=True, slots=True)
class Studied:
    """The listings of a study. ``texts`` are evidences without photos, ``photos`` the same ones with them.

    ``labels`` are indices into ``categories``, which are those of ``level``; ``paths`` are the whole ones.
    ``attributions`` are to be shown beside the listings; empty where none has any.
    ``listings`` counts all the labelled listings that the sample was drawn of.
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

    def rows(self) -> list[dict[str, Any]]:
        """The report's ``rows``: one for each listing, in order; ``attribution`` is a place in ``due_to``, or None."""
        place = {attribution: at for at, attribution in enumerate(self.due_to())}
        due = [place[each] if each else None for each in self.attributions or [None] * len(self.keys)]
        return [
            {"key": key, "listing_id": listing_id, "name": evidence.name, "category": int(label), "attribution": to}
            for key, listing_id, evidence, label, to in zip(
                self.keys, self.listing_ids, self.texts, self.labels, due, strict=True
            )
        ]

    def due_to(self) -> list[str]:
        """The report's ``attributions``: whom its listings are due to, each once."""
        return list(dict.fromkeys(filter(None, self.attributions)))

    def photo(self, row: int) -> bytes | None:
        """The photo of a listing, or None; several threads may ask."""
        return self.photos[row].photo


class WithPhotos(Sequence[Evidence]):
    """Evidences whose photo is read at each look; ``read`` gives None for one that cannot be had.

    Going through them reads a few ahead in threads.
    """

    def __init__(
        self, texts: Sequence[Evidence], references: Sequence[str | None], read: Callable[[str], bytes | None]
    ):
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
        """One evidence with its photo, or several."""
        if isinstance(row, slice):
            return [self[at] for at in range(*row.indices(len(self)))]
        reference = self._references[row]
        return replace(self._texts[row], photo=None if reference is None else self._read(reference))

    def __iter__(self) -> Iterator[Evidence]:
        def at(row: int) -> Evidence:
            return self[row]

        return ahead(at, range(len(self)), READ_THREADS)


def without_photos(evidences: Sequence[Evidence]) -> list[Evidence]:
    """The texts alone."""
    return [replace(evidence, photo=None, photo_problem=None) for evidence in evidences]

"""Which listings a study looks at, and the fingerprint that tells them from any others."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.targets import category_at_level, choose_level
from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence
from pipeline.domain.study import StudyPlan

LEAST_EACH = 2  # listings of a category, below which it is left out
LEAST = 20


@dataclass(frozen=True, slots=True)
class Drawn:
    """The level, the sorted canonical ``categories``, ``chosen`` listings (ascending indices), and their ``labels``."""

    level: int
    categories: tuple[str, ...]
    chosen: NDArray[np.int64]
    labels: NDArray[np.int64]


def draw(categories: Sequence[str], plan: StudyPlan) -> Drawn:
    """At most ``plan.sample`` listings, each category keeping its share; the same input gives the same draw.

    ``categories`` are full paths, one a listing; ``plan.level`` None takes the level that training would: the deepest
    one whose categories are large enough to learn. Raises InvalidInput when there is too little to study.
    """
    if not categories:
        raise InvalidInput("there are no labelled listings to study; import a catalogue with categories first")
    level = plan.level or _level(categories)
    names = [category_at_level(category, level) for category in categories]
    counts = Counter(names)
    kept = tuple(sorted(name for name, count in counts.items() if count >= LEAST_EACH))
    index = {name: at for at, name in enumerate(kept)}
    usable = np.array([at for at, name in enumerate(names) if name in index], np.int64)
    if len(kept) < 2 or len(usable) < LEAST:
        raise InvalidInput(
            f"a study needs at least {LEAST} labelled listings in two categories of {LEAST_EACH} or more; at level "
            f"{level} there are {len(usable)} in {len(kept)}"
        )
    labels = np.array([index[names[at]] for at in usable], np.int64)
    if plan.sample is not None and plan.sample < len(usable):
        inside = stratified(labels, plan.sample)
        usable, labels = usable[inside], labels[inside]
        present = np.unique(labels)
        kept = tuple(kept[label] for label in present)
        labels = np.searchsorted(present, labels).astype(np.int64)
    return Drawn(level, kept, usable, labels)


def stratified(labels: NDArray[np.int64], count: int, seed: int = 0) -> NDArray[np.int64]:
    """``count`` positions (ascending), shared out over the labels by largest remainder, at least LEAST_EACH of each.

    Where there are too many labels for that, the most frequent ones are served first.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(labels)
    order = np.argsort(-sizes, kind="stable")[: max(count // LEAST_EACH, 1)]
    share = np.zeros(len(sizes), np.int64)
    exact = sizes[order] * (count / sizes[order].sum())
    share[order] = np.maximum(np.floor(exact), np.minimum(LEAST_EACH, sizes[order])).astype(np.int64)
    for at in order[np.argsort(-(exact - np.floor(exact)), kind="stable")]:
        if share.sum() >= count:
            break
        share[at] += share[at] < sizes[at]
    while share.sum() > count:
        share[int(np.argmax(share))] -= 1
    drawn = [rng.permutation(np.flatnonzero(labels == at))[:wanted] for at, wanted in enumerate(share) if wanted]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def fingerprint(
    keys: Sequence[str], texts: Sequence[Evidence], photo_digests: Sequence[str | None], categories: Sequence[str]
) -> str:
    """SHA-256 (hex) of what is studied, whatever the order: keys, texts, SHA-256 of photos, categories."""
    rows = sorted(
        json.dumps([key, category, text.name, text.description, sorted(text.attributes.items()), photo])
        for key, text, photo, category in zip(keys, texts, photo_digests, categories, strict=True)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _level(categories: Sequence[str]) -> int:
    """The level that training would take, or below it the first that tells categories apart."""
    chosen = choose_level(categories)
    for level in range(chosen, max(Category.parse(category).level for category in categories) + 1):
        counts = Counter(category_at_level(category, level) for category in categories)
        if sum(count >= LEAST_EACH for count in counts.values()) > 1:
            return level
    return chosen

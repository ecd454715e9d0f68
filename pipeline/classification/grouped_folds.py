"""Grouped, stratified folds: categories spread evenly; listings with equal photos or texts share a fold."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.listing import Evidence, Example

PLACEHOLDER_CATEGORIES = 3  # a photo of many listings in as many categories or more is a placeholder


def group_listings(examples: Sequence[Example], categories: Sequence[str], folds: int) -> NDArray[np.int64]:
    """A group number for each listing; listings with equal photos (by SHA-256) or equal texts share one.

    A text in more of a category's listings than one fold may hold is a template of the catalogue (the name of the class
    itself, say) rather than a listing posted twice; grouping by it would leave nothing to train on, so it does not
    group. Neither does a photo of many listings of several categories: it is the shop's placeholder for listings
    without a photo, and says nothing about any of them.
    """
    parents = list(range(len(examples)))

    def root(member: int) -> int:
        while parents[member] != member:
            parents[member] = parents[parents[member]]
            member = parents[member]
        return member

    def join(members: Sequence[int]) -> None:
        for member in members[1:]:
            parents[root(member)] = root(members[0])

    sizes = Counter(categories)
    for members in _equal(_photo_key(example.evidence) for example in examples):
        many = len(members) > 2 * folds
        if not (many and len({categories[member] for member in members}) >= PLACEHOLDER_CATEGORIES):
            join(members)
    for members in _equal(_text_key(example.evidence) for example in examples):
        if len(members) <= max(2, min(sizes[categories[member]] for member in members) / folds):
            join(members)
    return np.array([root(member) for member in range(len(examples))], np.int64)


def assign_folds(categories: Sequence[str], groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """A fold number (0 .. folds-1) for each listing; groups stay whole, categories spread as evenly as they allow.

    Works for categories of any size; one with fewer groups than folds is absent from some.
    """
    rng = np.random.default_rng(seed)
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[int(group)].append(index)
    order = rng.permutation(list(members))
    order = order[np.argsort([-len(members[int(group)]) for group in order], kind="stable")]
    filled = {category: np.zeros(folds) for category in set(categories)}
    total = np.zeros(folds)
    assigned = np.zeros(len(groups), np.int64)
    for group in order:
        inside = members[int(group)]
        crowding = sum(filled[categories[index]] for index in inside) * len(groups) + total
        fold = int(np.argmin(crowding))
        for index in inside:
            assigned[index] = fold
            filled[categories[index]][fold] += 1
            total[fold] += 1
    return assigned


def _equal(keys: Iterable[str | None]) -> list[list[int]]:
    """The indices of each key that occurs more than once."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        if key:
            found[key].append(index)
    return [members for members in found.values() if len(members) > 1]


def _photo_key(evidence: Evidence) -> str | None:
    return hashlib.sha256(evidence.photo).hexdigest() if evidence.photo else None


def _text_key(evidence: Evidence) -> str | None:
    """Name and description in lower case with single spaces; attributes in any order."""
    if not evidence.has_text:
        return None
    texts = [evidence.name, evidence.description, *(f"{k}={v}" for k, v in sorted(evidence.attributes.items()))]
    return hashlib.sha256("\n".join(" ".join(text.split()).casefold() for text in texts).encode()).hexdigest()

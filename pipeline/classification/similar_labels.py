"""Category names that are nearly equal: probably one category with a typo, a plural or a different word order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import fuzz, process
from rapidfuzz.distance import DamerauLevenshtein

from pipeline.domain.category import SEPARATOR
from pipeline.domain.category_spelling import fold_name

MIN_SIMILARITY = 85.0  # of two names, from 0 to 100; "Skirts" and "Shirts" have 83
MIN_COMPARED = 80.0  # two swapped letters count as a typo even below MIN_SIMILARITY: "Shrits" and "Shirts" have 83 too
MAX_COMPARED = 5  # most similar names that are looked at
MIN_LENGTH = 5  # characters of a name: one changed letter of a shorter one is another word
MAX_SIBLINGS = 5_000  # names below one category that are compared
MAX_PAIRS = 100


@dataclass(frozen=True, slots=True)
class SimilarLabels:
    """Two categories with nearly equal names below one parent, and how many listings have each, the rarer one first."""

    rare: str
    frequent: str
    rare_count: int
    frequent_count: int


def find_similar_labels(categories: Iterable[str], limit: int = MAX_PAIRS) -> list[SimilarLabels]:
    """Pairs of categories whose last names are nearly equal, rarest first; ``categories`` has a path per listing."""
    counts: Counter[str] = Counter()
    for path, count in Counter(categories).items():
        names = path.split(SEPARATOR)
        for depth in range(1, len(names) + 1):
            counts[SEPARATOR.join(names[:depth])] += count
    siblings: defaultdict[str, list[str]] = defaultdict(list)
    for path in counts:
        siblings[path.rpartition(SEPARATOR)[0]].append(path)
    pairs = []
    for paths in siblings.values():
        pairs += _pairs(sorted(paths, key=lambda path: (-counts[path], path))[:MAX_SIBLINGS], counts)
    return sorted(pairs, key=lambda pair: (pair.rare_count, pair.rare))[:limit]


def _pairs(paths: list[str], counts: Counter[str]) -> list[SimilarLabels]:
    names = [fold_name(path.rpartition(SEPARATOR)[2]) for path in paths]
    pairs = []
    for position, name in enumerate(names):
        if len(name) < MIN_LENGTH:
            continue
        others = {at: other for at, other in enumerate(names[:position]) if len(other) >= MIN_LENGTH}
        matches = process.extract(
            name, others, scorer=fuzz.token_sort_ratio, score_cutoff=MIN_COMPARED, limit=MAX_COMPARED
        )
        for other, similarity, at in matches:
            if _probably_one(name, other, similarity):
                rare, frequent = paths[position], paths[at]
                pairs.append(SimilarLabels(rare, frequent, counts[rare], counts[frequent]))
                break
    return pairs


def _probably_one(name: str, other: str, similarity: float) -> bool:
    if sorted(name.split()) == sorted(other.split()):
        return True
    distance = DamerauLevenshtein.distance(name, other)
    are_swapped_letters = distance == 1 and sorted(name) == sorted(other)
    return are_swapped_letters or (similarity >= MIN_SIMILARITY and distance <= 2)

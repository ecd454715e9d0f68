"""Groups of listings that show one product, so that no fold holds one of them while another is trained on.

Listings of one product have the same parent id, the same photo, the same description with names that differ in size,
colour, pack or number only, or nearly the same text. Without groups, a model is measured on products that it has seen,
and every figure is too good.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

from pipeline.classification.variant_names import product_words, words
from pipeline.domain.listing import Evidence, Example
from pipeline.features.photo_hash import near_equal_pairs

PLACEHOLDER_CATEGORIES = 3  # a photo of many listings in as many categories or more is a placeholder
MIN_DESCRIPTION_WORDS = 4  # shorter descriptions are shared by chance
NAME_LIKENESS = 0.5  # Jaccard index of the product words of two names, from which they may name one product
MAX_NAME_GROUPS = 50  # distinct names compared for one description; later ones must be equal to one of them
MAX_VARIANTS = 200  # of one product: more listings than that share a template
MIN_SHINGLES = 12
SHINGLE_WORDS = 3
TEXT_LIKENESS = 0.95  # Jaccard index of the shingles of two texts, from which one is a copy of the other
_PERMUTATIONS, _BANDS = 128, 16
_CHUNK = 10_000


def group_listings(examples: Sequence[Example], categories: Sequence[str], folds: int) -> NDArray[np.int64]:
    """A group number for each listing; the listings of one product share it.

    A parent id joins all its listings. So does a photo, or copies of it, unless many listings of several categories
    show it: then it is the shop's placeholder. Equal descriptions join listings whose names have at least half of
    their product words in common. A description that differs in sizes, colours and numbers only, an equal name up to
    them, or a nearly equal text joins listings with such names, as long as the group is no larger than one fold's part
    of its smallest category. Larger groups are a template of the catalogue (the name of the class itself, say):
    joining those would leave nothing to train on.
    """
    groups = _Groups(categories, folds)
    for members in _equal(example.parent for example in examples):
        groups.join(members)
    for members in _equal(_photo_key(example.evidence) for example in examples):
        groups.join_photo(members)
    for pair in near_equal_pairs([example.photo_hash for example in examples]):
        groups.join_photo(groups.members_of(pair))
    names = [product_words(example.evidence.name) for example in examples]
    descriptions = [words(example.evidence.description) for example in examples]
    same_text = [_text_key(example.evidence) for example in examples]
    for members in _equal(_key(each) if len(each) >= MIN_DESCRIPTION_WORDS else None for each in descriptions):
        for alike in _alike_names(members, names):
            groups.join_variants(alike, same_text)
    for members in _equal(same_text):
        groups.join_small(members)
    product_descriptions = [product_words(example.evidence.description) for example in examples]
    keys = ((_key(each) if len(each) >= MIN_DESCRIPTION_WORDS else None) for each in product_descriptions)
    for members in _equal(keys):
        for alike in _alike_names(members, names):
            groups.join_small(alike)
    for members in _equal(_key(sorted(name)) if len(name) > 1 else None for name in names):
        groups.join_small(members)
    texts = [
        words(example.evidence.name) + description for example, description in zip(examples, descriptions, strict=True)
    ]
    for one, other in _near_equal_texts(texts):
        if _likeness(frozenset(names[one]), frozenset(names[other])):
            groups.join_small((one, other))
    return groups.numbers()


class _Groups:
    """Disjoint groups of listings, joined on evidence of different strength."""

    def __init__(self, categories: Sequence[str], folds: int) -> None:
        self._sets = DisjointSet(range(len(categories)))
        self._categories = categories
        self._folds = folds
        self._sizes = Counter(categories)

    def join(self, members: Sequence[int]) -> None:
        """Join listings."""
        for member in members[1:]:
            self._sets.merge(members[0], member)

    def join_photo(self, members: Sequence[int]) -> None:
        """Join listings that show one photo, unless it is a placeholder."""
        is_frequent = len(members) > 2 * self._folds
        if not (is_frequent and len({self._categories[member] for member in members}) >= PLACEHOLDER_CATEGORIES):
            self.join(members)

    def join_variants(self, members: Sequence[int], same_text: Sequence[Hashable]) -> None:
        """Join listings with one description and names alike, unless they are too many, or all have the same text."""
        texts = {same_text[member] for member in members}
        if len(members) <= self._part_of_fold(members) or (len(texts) > 1 and len(members) <= MAX_VARIANTS):
            self.join(members)

    def join_small(self, members: Sequence[int]) -> None:
        """Join listings whose group is no larger than one fold's part of its smallest category."""
        if len(members) > self._part_of_fold(members):
            return
        joined = self.members_of(members)
        if len(joined) <= self._part_of_fold(joined):
            self.join(members)

    def members_of(self, members: Iterable[int]) -> list[int]:
        """All listings of the groups of these listings."""
        return sorted(set().union(*(self._sets.subset(member) for member in members)))

    def numbers(self) -> NDArray[np.int64]:
        """The group number of each listing."""
        return np.array([self._sets[member] for member in range(len(self._categories))], np.int64)

    def _part_of_fold(self, members: Sequence[int]) -> float:
        return max(2.0, min(self._sizes[self._categories[member]] for member in members) / self._folds)


def _alike_names(members: Sequence[int], names: Sequence[Sequence[str]]) -> Iterator[list[int]]:
    """Listings whose names are alike: each joins the first name with which it shares half of the product words."""
    clusters: list[tuple[frozenset[str], list[int]]] = []
    by_name: dict[frozenset[str], list[int]] = {}
    for member in members:
        name = frozenset(names[member])
        cluster = by_name.get(name)
        if cluster is None:
            cluster = next((each for first, each in clusters[:MAX_NAME_GROUPS] if _likeness(first, name)), None)
            if cluster is None:
                cluster = []
                clusters.append((name, cluster))
            by_name[name] = cluster
        cluster.append(member)
    return (cluster for _, cluster in clusters if len(cluster) > 1)


def _likeness(one: frozenset[str], other: frozenset[str]) -> bool:
    if not one or not other:
        return one == other
    return len(one & other) >= NAME_LIKENESS * len(one | other)


def _near_equal_texts(texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Pairs of texts that are nearly equal, by MinHash (Broder 1997) and locality-sensitive hashing."""
    long = [at for at, text in enumerate(texts) if len(text) >= MIN_SHINGLES + SHINGLE_WORDS - 1]
    if len(long) < 2:
        return
    signatures = np.empty((len(long), _PERMUTATIONS), np.uint32)
    for start in range(0, len(long), _CHUNK):
        chunk = long[start : start + _CHUNK]
        hashes = MinHash.generator((_shingles(texts[at]) for at in chunk), num_perm=_PERMUTATIONS)
        for row, each in enumerate(hashes, start):
            signatures[row] = each.hashvalues
    seen: set[tuple[int, int]] = set()
    for band in np.split(signatures, _BANDS, axis=1):
        for members in _equal(row.tobytes() for row in np.ascontiguousarray(band)):
            first = members[0]
            for other in members[1:]:
                if (first, other) not in seen:
                    seen.add((first, other))
                    if (signatures[first] == signatures[other]).mean() >= TEXT_LIKENESS:
                        yield long[first], long[other]


def _shingles(text: Sequence[str]) -> list[bytes]:
    return [" ".join(text[at : at + SHINGLE_WORDS]).encode() for at in range(len(text) - SHINGLE_WORDS + 1)]


def _equal(keys: Iterable[Hashable | None]) -> list[list[int]]:
    """The positions of each key that occurs more than once."""
    positions: dict[Hashable, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        if key:
            positions[key].append(position)
    return [members for members in positions.values() if len(members) > 1]


def _key(parts: Iterable[str]) -> bytes:
    return hashlib.sha256("\n".join(parts).encode()).digest()


def _photo_key(evidence: Evidence) -> bytes | None:
    return hashlib.sha256(evidence.photo).digest() if evidence.photo else None


def _text_key(evidence: Evidence) -> bytes | None:
    """Name and description in lower case with single spaces; attributes in any order."""
    if not evidence.has_text:
        return None
    texts = [evidence.name, evidence.description, *(f"{k}={v}" for k, v in sorted(evidence.attributes.items()))]
    return _key(" ".join(text.split()).casefold() for text in texts)

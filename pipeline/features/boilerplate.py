"""Boilerplate: phrases that a shop or a seller puts under most of its listings, learned from the catalogue itself.

No list of shop phrases is complete, and every shop has its own. A run of words says nothing about a product when

* most descriptions of the whole catalogue have it: a habit of the shop;
* most descriptions of one seller have it, hardly any others do, and the seller's products that have it differ from each
  other: a habit of the seller. The template of a seller of nothing but mugs indicates a mug, and stays.

Rarer phrases stay: those that a few kinds of products share ("number of contents in sales package") look empty, but
separate those kinds from the others; removing them cost more than it gave. Categories are not used.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.domain.listing import Evidence
from pipeline.features import term_counts, text_cleaning

PHRASE_WORDS = 3  # words
MIN_LISTINGS = 5  # listings that share a phrase
MIN_SHARE = 0.6  # of the descriptions of the catalogue, or of a seller
MAX_NAME_SIMILARITY = 0.3  # similarity of the names that have a phrase: 0 as any two names, 1 as nearest neighbours
MAX_PHRASES = 5_000
MAX_LISTINGS_PER_PHRASE = 200  # listings compared for one phrase
NEIGHBOURS = 5
SELLER_ATTRIBUTES = frozenset(
    ["brand", "seller", "vendor", "shop", "store", "manufacturer", "marque", "vendeur", "boutique", "fabricant"]
)
MIN_SHARE_OF_ONE_SELLER = 0.9  # of the listings that have the phrase

Phrase = tuple[str, ...]


def learn_phrases(evidences: Sequence[Evidence], seed: int = 0) -> list[Phrase]:
    """Learn the empty phrases, of PHRASE_WORDS cleaned words each, in alphabetical order."""
    texts = [text_cleaning.words(evidence.description) for evidence in evidences]
    counts = Counter(phrase for words in texts for phrase in set(_runs(words)))
    most = max(MIN_LISTINGS, MIN_SHARE * len(texts))
    empty = {phrase for phrase, count in counts.items() if count >= most}
    seller_of = [_seller(evidence) for evidence in evidences]
    sizes = Counter(seller for seller in seller_of if seller)
    if any(size >= MIN_LISTINGS for size in sizes.values()):
        frequent = {phrase for phrase, count in counts.most_common(MAX_PHRASES) if count >= MIN_LISTINGS} - empty
        places: dict[Phrase, list[int]] = defaultdict(list)
        for at, words in enumerate(texts):
            for phrase in frequent.intersection(_runs(words)):
                places[phrase].append(at)
        phrases_of_sellers = sorted(
            p for p, found in places.items() if _of_one_seller([seller_of[at] for at in found], sizes)
        )
        similarities = _name_similarities(evidences, [places[phrase] for phrase in phrases_of_sellers], seed)
        empty |= {
            phrase
            for phrase, similarity in zip(phrases_of_sellers, similarities, strict=True)
            if similarity < MAX_NAME_SIMILARITY
        }
    return sorted(empty)


def strip_phrases(words: Sequence[str], phrases: Iterable[Phrase]) -> list[str]:
    """The words without those that are part of any of the phrases; ``phrases`` should be a set."""
    known = phrases if isinstance(phrases, (set, frozenset)) else set(phrases)
    inside = bytearray(len(words))
    for start, phrase in enumerate(_runs(words)):
        if phrase in known:
            inside[start : start + PHRASE_WORDS] = b"\x01" * PHRASE_WORDS
    return [word for word, removed in zip(words, inside, strict=True) if not removed]


def _runs(words: Sequence[str]) -> list[Phrase]:
    return [tuple(words[start : start + PHRASE_WORDS]) for start in range(len(words) - PHRASE_WORDS + 1)]


def _name_similarities(evidences: Sequence[Evidence], places: Sequence[Sequence[int]], seed: int) -> list[float]:
    """The similarity of the names that have each phrase: 0 as any two names, 1 as nearest neighbours."""
    if not places:
        return []
    rng = np.random.default_rng(seed)
    names = _name_rows(evidences)
    drawn = rng.permutation(len(evidences))[:2_000]
    average, nearest = _cohesion(names[drawn]), _neighbour_similarity(names, drawn[:300])
    found = []
    for members in places:
        chosen = (
            members
            if len(members) <= MAX_LISTINGS_PER_PHRASE
            else rng.choice(members, MAX_LISTINGS_PER_PHRASE, replace=False)
        )
        found.append((_cohesion(names[chosen]) - average) / max(nearest - average, 1e-6))
    return found


def _name_rows(evidences: Sequence[Evidence]) -> sp.csr_matrix:
    stems = [[text_cleaning.stem(word) for word in text_cleaning.words(evidence.name)] for evidence in evidences]
    terms, found = term_counts.learn_vocabulary(stems, 1, 1.0, 50_000)
    rarity = np.log((1 + len(stems)) / (1 + np.array([found[term] for term in terms], np.float32)))
    counts = term_counts.count_terms(stems, {term: at for at, term in enumerate(terms)})
    return term_counts.unit_rows((counts @ sp.diags(rarity.astype(np.float32))).tocsr())


def _cohesion(rows: sp.csr_matrix) -> float:
    """Mean cosine of two different rows."""
    count = int(rows.shape[0])
    total = np.asarray(rows.sum(axis=0)).ravel()
    phrases_of_sellers = float(rows.multiply(rows).sum())
    return (float(total @ total) - phrases_of_sellers) / max(count * (count - 1), 1)


def _neighbour_similarity(names: sp.csr_matrix, drawn: NDArray[np.int64]) -> float:
    """Mean cosine of a name to its nearest neighbours: the similarity of products of one kind."""
    others = names[: min(names.shape[0], 20_000)]
    similarity = (names[drawn] @ others.T).toarray()
    nearest = np.sort(similarity, axis=1)[:, -NEIGHBOURS - 1 : -1]
    return float(nearest.mean()) if nearest.size else 0.0


def _seller(evidence: Evidence) -> str:
    for key, value in evidence.attributes.items():
        if key.casefold().strip() in SELLER_ATTRIBUTES and value.strip():
            return value.casefold().strip()
    return ""


def _of_one_seller(sellers: Sequence[str], sizes: Counter[str]) -> bool:
    named = Counter(seller for seller in sellers if seller)
    if not named:
        return False
    seller, count = named.most_common(1)[0]
    return (
        sizes[seller] >= MIN_LISTINGS
        and count >= MIN_SHARE * sizes[seller]
        and count >= MIN_SHARE_OF_ONE_SELLER * len(sellers)
    )

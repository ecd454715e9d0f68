"""Boilerplate: phrases that a shop or a seller repeats in most of its listings, learned from the catalogue itself.

No list of shop phrases is complete, and every shop has its own. A phrase is boilerplate if

* most descriptions of the whole catalogue contain it: it is the shop's; or
* most descriptions of one seller contain it, hardly any others do, and the seller's products that have it differ from
  each other: it is the seller's. The template of a seller who only sells mugs indicates a mug, and is kept.

Rarer phrases are kept: those that a few kinds of products share ("number of contents in sales package") look
meaningless, but separate those kinds from the others; removing them did more harm than good. Categories are not used.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.domain.listing import Evidence
from pipeline.features import term_counts, text_cleaning

PHRASE_WORDS = 3  # words per phrase
MIN_LISTINGS = 5  # listings that share a phrase; listings of a seller
MIN_SHARE = 0.6  # of the descriptions of the catalogue, or of a seller, that contain the phrase
MAX_NAME_SIMILARITY = 0.3  # of the listings with a seller's phrase; see ``_name_similarities``
MAX_PHRASES = 5_000  # candidates for phrases of sellers
MAX_LISTINGS_PER_PHRASE = 200  # compared for one phrase
NEIGHBOURS = 5
SELLER_ATTRIBUTES = frozenset(
    ["brand", "seller", "vendor", "shop", "store", "manufacturer", "marque", "vendeur", "boutique", "fabricant"]
)
MIN_SHARE_OF_ONE_SELLER = 0.9  # of the listings that have the phrase

Phrase = tuple[str, ...]


def learn_phrases(evidences: Sequence[Evidence], seed: int = 0) -> list[Phrase]:
    """Learn the boilerplate phrases, of PHRASE_WORDS cleaned words each, in alphabetical order."""
    texts = [text_cleaning.words(evidence.description) for evidence in evidences]
    counts = Counter(phrase for words in texts for phrase in set(_runs(words)))
    min_count = max(MIN_LISTINGS, MIN_SHARE * len(texts))
    boilerplate = {phrase for phrase, count in counts.items() if count >= min_count}
    seller_of = [_seller(evidence) for evidence in evidences]
    sizes = Counter(seller for seller in seller_of if seller)
    if any(size >= MIN_LISTINGS for size in sizes.values()):
        frequent = {phrase for phrase, count in counts.most_common(MAX_PHRASES) if count >= MIN_LISTINGS} - boilerplate
        listings_with: dict[Phrase, list[int]] = defaultdict(list)
        for index, words in enumerate(texts):
            for phrase in frequent.intersection(_runs(words)):
                listings_with[phrase].append(index)
        phrases_of_sellers = sorted(
            phrase
            for phrase, indices in listings_with.items()
            if _is_of_one_seller([seller_of[index] for index in indices], sizes)
        )
        similarities = _name_similarities(evidences, [listings_with[phrase] for phrase in phrases_of_sellers], seed)
        boilerplate |= {
            phrase
            for phrase, similarity in zip(phrases_of_sellers, similarities, strict=True)
            if similarity < MAX_NAME_SIMILARITY
        }
    return sorted(boilerplate)


def strip_phrases(words: Sequence[str], phrases: Iterable[Phrase]) -> list[str]:
    """Remove the words that are part of any of the phrases; ``phrases`` should be a set."""
    phrase_set = phrases if isinstance(phrases, (set, frozenset)) else set(phrases)
    in_phrase = bytearray(len(words))
    for start, phrase in enumerate(_runs(words)):
        if phrase in phrase_set:
            in_phrase[start : start + PHRASE_WORDS] = b"\x01" * PHRASE_WORDS
    return [word for word, is_in_phrase in zip(words, in_phrase, strict=True) if not is_in_phrase]


def _runs(words: Sequence[str]) -> list[Phrase]:
    return [tuple(words[start : start + PHRASE_WORDS]) for start in range(len(words) - PHRASE_WORDS + 1)]


def _name_similarities(
    evidences: Sequence[Evidence], listings_by_phrase: Sequence[Sequence[int]], seed: int
) -> list[float]:
    """By phrase, the similarity of its listings' names: 0 as for any two names, 1 as for nearest neighbours.

    ``listings_by_phrase`` are the indices of the listings with each phrase.
    """
    if not listings_by_phrase:
        return []
    rng = np.random.default_rng(seed)
    name_rows = _name_rows(evidences)
    sample = rng.permutation(len(evidences))[:2_000]
    average, nearest = _mean_cosine(name_rows[sample]), _neighbour_similarity(name_rows, sample[:300])
    similarities = []
    for indices in listings_by_phrase:
        compared = (
            indices
            if len(indices) <= MAX_LISTINGS_PER_PHRASE
            else rng.choice(indices, MAX_LISTINGS_PER_PHRASE, replace=False)
        )
        similarities.append((_mean_cosine(name_rows[compared]) - average) / max(nearest - average, 1e-6))
    return similarities


def _name_rows(evidences: Sequence[Evidence]) -> sp.csr_matrix:
    """TF-IDF of the stems of each name, as unit rows."""
    stems = [[text_cleaning.stem(word) for word in text_cleaning.words(evidence.name)] for evidence in evidences]
    terms, document_frequency = term_counts.learn_vocabulary(stems, 1, 1.0, 50_000)
    rarity = np.log((1 + len(stems)) / (1 + np.array([document_frequency[term] for term in terms], np.float32)))
    counts = term_counts.count_terms(stems, {term: column for column, term in enumerate(terms)})
    return term_counts.unit_rows((counts @ sp.diags(rarity.astype(np.float32))).tocsr())


def _mean_cosine(rows: sp.csr_matrix) -> float:
    """Mean cosine between two different rows of unit length."""
    n_rows = int(rows.shape[0])
    row_sum = np.asarray(rows.sum(axis=0)).ravel()
    self_similarity = float(rows.multiply(rows).sum())
    return (float(row_sum @ row_sum) - self_similarity) / max(n_rows * (n_rows - 1), 1)


def _neighbour_similarity(name_rows: sp.csr_matrix, sample: NDArray[np.int64]) -> float:
    """Mean cosine between a name and its nearest neighbours: the similarity of products of one kind."""
    others = name_rows[: min(name_rows.shape[0], 20_000)]
    similarity = (name_rows[sample] @ others.T).toarray()
    nearest = np.sort(similarity, axis=1)[:, -NEIGHBOURS - 1 : -1]
    return float(nearest.mean()) if nearest.size else 0.0


def _seller(evidence: Evidence) -> str:
    for key, value in evidence.attributes.items():
        if key.casefold().strip() in SELLER_ATTRIBUTES and value.strip():
            return value.casefold().strip()
    return ""


def _is_of_one_seller(sellers: Sequence[str], sizes: Counter[str]) -> bool:
    """Whether a phrase belongs to one seller; ``sellers`` of its listings, ``sizes``: listings per seller."""
    counts = Counter(seller for seller in sellers if seller)
    if not counts:
        return False
    seller, count = counts.most_common(1)[0]
    return (
        sizes[seller] >= MIN_LISTINGS
        and count >= MIN_SHARE * sizes[seller]
        and count >= MIN_SHARE_OF_ONE_SELLER * len(sellers)
    )

"""Categories ranked by their names alone, for listings of a taxonomy without a trained model.

The texts of a category are embedded by the encoder of listings' texts; a category is as likely as its vector is near
the listing's (zero-shot classification by sentence embeddings, Yin, Hay & Roth 2019, arXiv:1909.00161). Vectors are
centred: those of categories by their mean, those of listings by the mean of the catalogue's, so that what all texts of
a shop have in common does not count (Mu & Viswanath 2018, arXiv:1702.01417).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.domain.category import SEPARATOR
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.features.encoder_input import unit_rows
from pipeline.features.extractor import Floats, TextExtractor, Vectors

WORDING = "buy {}"  # a name in it is nearer to the names of products than the name alone
TEMPERATURE = 0.05  # of the softmax over cosines
MAX_TEXTS = 20  # of one category
MAX_BELOW = 50  # categories below one whose texts stand for it as well
SUGGESTIONS = 5
MIN_BACKGROUND = 5.0  # the weight, in listings, of a mean of zero: a few listings say little about the catalogue
BATCH_SIZE = 1_024  # listings scored, or categories embedded, at a time


def category_texts(
    category: str, description: str = "", synonyms: Sequence[str] = (), names: Sequence[str] = ()
) -> list[str]:
    """The texts that stand for a category: its own name, its whole path, synonyms, other names, and the description.

    ``names`` are those in other languages. Each text once, at most ``MAX_TEXTS``.
    """
    parts = category.split(SEPARATOR)
    own = (text.strip() for text in (parts[-1], ", ".join(parts), *synonyms, *names))
    worded = list(dict.fromkeys(WORDING.format(text) for text in own if text))
    described = [description.strip()] if description.strip() else []
    return [*worded[: MAX_TEXTS - len(described)], *described]


class CategoryNames:
    """The categories of a taxonomy as vectors of their texts.

    A leaf is a category without another one below it. ``fit`` learns ``categories_`` (paths, in the order of the
    entries), ``leaves_`` (those of the leaves) and ``vectors_`` (float32, shape (leaves, d), centred unit rows). The
    encoder is fitted already; its vectors are unit rows, zeros for a text that says nothing.
    """

    def __init__(self, encoder: TextExtractor, temperature: float = TEMPERATURE) -> None:
        self.encoder = encoder
        self.temperature = temperature
        self._vector_of_entry: dict[CategoryEntry, Vectors] = {}

    def fit(self, entries: Sequence[CategoryEntry]) -> Self:
        """Embed the texts of the leaves; those that an earlier ``fit`` embedded are not embedded again."""
        above = {entry.path.rpartition(SEPARATOR)[0] for entry in entries}
        leaves = [entry for entry in entries if entry.path not in above]
        new = [entry for entry in leaves if entry not in self._vector_of_entry]
        for start in range(0, len(new), BATCH_SIZE):
            # An interrupted fit goes on here the next time.
            batch = new[start : start + BATCH_SIZE]
            self._vector_of_entry |= dict(zip(batch, self._embed(batch), strict=True))
        vectors = self._vector_of_entry = {entry: self._vector_of_entry[entry] for entry in leaves}
        self.categories_ = tuple(entry.path for entry in entries)
        self.leaves_ = tuple(entry.path for entry in leaves)
        rows = np.array([vectors[entry] for entry in leaves], np.float32) if leaves else np.zeros((0, 0), np.float32)
        self.vectors_ = unit_rows(rows - rows.mean(axis=0)) if len(leaves) > 1 else rows
        return self

    def encode(self, evidences: Sequence[Evidence]) -> Vectors:
        """The vectors of listings, float32, shape (n, d); a row of zeros for a listing without a usable text."""
        return np.asarray(self.encoder.transform(evidences), np.float32)

    def scores(self, vectors: Vectors, background: Floats | None = None) -> Floats:
        """Cosines of listings' vectors to the leaves, float32, shape (n, leaves).

        ``background`` is the mean of the catalogue's vectors, shape (d,); see ``mean_vector``.
        """
        centred = unit_rows(vectors if background is None else vectors - background)
        return np.asarray(centred @ self.vectors_.T, np.float32)

    def probabilities(self, vectors: Vectors, background: Floats | None = None) -> Floats:
        """The softmax of the scores over the leaves, float32, shape (n, leaves)."""
        result = np.empty((len(vectors), len(self.leaves_)), np.float32)
        for start in range(0, len(vectors), BATCH_SIZE):
            scaled = self.scores(vectors[start : start + BATCH_SIZE], background) / np.float32(self.temperature)
            exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
            result[start : start + BATCH_SIZE] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return np.asarray(np.minimum(result, 1), np.float32)

    def probabilities_of(self, categories: Sequence[str], vectors: Vectors, background: Floats | None = None) -> Floats:
        """The probabilities of categories at any level, float32, shape (n, categories): the sums of their leaves'.

        A category that is not in the taxonomy has a probability of 0, and rows need not sum to 1.
        """
        columns = {path: column for column, path in enumerate(categories)}
        leaf_in_category = np.zeros((len(self.leaves_), len(categories)), np.float32)
        for row, leaf in enumerate(self.leaves_):
            parts = leaf.split(SEPARATOR)
            for depth in range(1, len(parts) + 1):
                column = columns.get(SEPARATOR.join(parts[:depth]))
                if column is not None:
                    leaf_in_category[row, column] = 1.0
        sums = self.probabilities(vectors, background) @ leaf_in_category
        return np.asarray(np.minimum(sums, 1), np.float32)

    def rank(
        self, vectors: Vectors, background: Floats | None = None, limit: int = SUGGESTIONS
    ) -> list[Prediction | None]:
        """The most probable leaves of each listing; None for one whose vector is zero."""
        ranked: list[Prediction | None] = []
        for start in range(0, len(vectors), BATCH_SIZE):
            batch = vectors[start : start + BATCH_SIZE]
            for vector, row in zip(batch, self.probabilities(batch, background), strict=True):
                best = np.argsort(-row, kind="stable")[:limit]
                choices = tuple(Ranked(self.leaves_[leaf], float(row[leaf])) for leaf in best)
                ranked.append(Prediction(Modality.TEXT, choices) if choices and vector.any() else None)
        return ranked

    def _embed(self, entries: Sequence[CategoryEntry]) -> Vectors:
        """The mean vector of each category's texts, unit rows."""
        texts = [_texts_of(entry) for entry in entries]
        flat = list(dict.fromkeys(text for own in texts for text in own))
        if not flat:
            return np.zeros((0, 0), np.float32)
        row_of_text = {text: row for row, text in enumerate(flat)}
        vectors = self.encode([Evidence(text) for text in flat])
        return unit_rows(np.array([vectors[[row_of_text[text] for text in own]].mean(axis=0) for own in texts]))


def name_vectors(encoder: TextExtractor, entries_of_categories: Sequence[Sequence[CategoryEntry]]) -> Vectors:
    """Centred unit rows (categories, d) of categories' texts; of each, its own entry first, then some of those below.

    A category's vector is the mean of its own and of the mean of those below it. Rows of zeros where the encoder knows
    none of the texts.
    """
    texts = [[_texts_of(entry) for entry in entries[: 1 + MAX_BELOW]] for entries in entries_of_categories]
    flat = list(dict.fromkeys(text for entries in texts for own in entries for text in own))
    row_of_text = {text: row for row, text in enumerate(flat)}
    encoded = np.asarray(encoder.transform([Evidence(text) for text in flat]), np.float32)
    rows = []
    for entries in texts:
        means = [encoded[[row_of_text[text] for text in own]].mean(axis=0) for own in entries]
        below = np.mean(means[1:], axis=0) if len(means) > 1 else means[0]
        rows.append((means[0] + below) / 2)
    vectors = unit_rows(np.array(rows, np.float32))
    return unit_rows(vectors - vectors.mean(axis=0)) if len(vectors) > 1 else vectors


def entries_by_category(categories: Sequence[str], entries: Sequence[CategoryEntry]) -> list[list[CategoryEntry]]:
    """For each of the categories, its own entry (made of its name where there is none), then those below it."""
    by_path = {entry.path: entry for entry in entries}
    below: dict[str, list[CategoryEntry]] = {category: [] for category in categories}
    for entry in by_path.values():
        parts = entry.path.split(SEPARATOR)
        for depth in range(1, len(parts)):
            ancestor = SEPARATOR.join(parts[:depth])
            if ancestor in below:
                below[ancestor].append(entry)
    return [[by_path.get(category, CategoryEntry(category)), *below[category]] for category in categories]


def shared_categories(paths: Iterable[str]) -> list[str]:
    """The categories, at any level, that at least two of the listings with these full paths are in, sorted.

    The last part of a path that a single listing has is often the name of that product.
    """
    counts: Counter[str] = Counter()
    for path in paths:
        parts = path.split(SEPARATOR)
        counts.update(SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1))
    return sorted(path for path, count in counts.items() if count > 1)


def _texts_of(entry: CategoryEntry) -> list[str]:
    return category_texts(entry.path, entry.description, entry.synonyms, tuple(entry.names.values()))


def mean_vector(vectors: Vectors) -> Floats:
    """The mean of a catalogue's vectors, drawn towards zero where there are few, float32, shape (d,)."""
    used = vectors[vectors.any(axis=1)]
    return np.asarray(used.sum(axis=0) / (len(used) + MIN_BACKGROUND), np.float32)


@dataclass(frozen=True, slots=True)
class CategorySuggestions:
    """What ranks the listings of a taxonomy without a model: its names, and the mean vector of its listings.

    ``has_labels`` says whether the taxonomy has a labelled listing, so that only a training is missing.
    """

    names: CategoryNames
    background: Floats | None
    has_labels: bool

    def rank(self, evidences: Sequence[Evidence]) -> list[Prediction | None]:
        """The most probable categories of each listing; None for one without a usable text."""
        return self.names.rank(self.names.encode(evidences), self.background)

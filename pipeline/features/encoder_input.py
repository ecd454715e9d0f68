"""The short texts of a listing for pretrained sentence encoders: its name, description and attributes.

Such encoders were trained on sentences. On listings, the name alone does better than the description (an adjusted Rand
index of 0.70 against 0.45 with the same encoder), which consists mostly of boilerplate and key-value specifications.
So of the description only the first words that are left after cleaning are used.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from pipeline.domain.listing import Evidence
from pipeline.features import text_cleaning
from pipeline.features.extractor import Vectors

MAX_NAME_LENGTH = 200  # characters of a name; beyond that there are only keywords
MAX_WORDS = 30  # of a description that stands for the name
MAX_ATTRIBUTES = 12
MAX_ATTRIBUTES_LENGTH = 300  # characters


def short_text(evidence: Evidence) -> str:
    """The name as written, else the first words of the cleaned description; empty when there is neither."""
    return name_text(evidence) or description_text(evidence)


def name_text(evidence: Evidence) -> str:
    """The name as written, without entities and superfluous blanks."""
    return _one_line(evidence.name, MAX_NAME_LENGTH)


def description_text(evidence: Evidence, max_words: int = MAX_WORDS) -> str:
    """The first words of the description, in lower case and without boilerplate, prices and quantities."""
    words = (word for word in text_cleaning.words(evidence.description) if not word.startswith("#"))
    return _replace_surrogates(" ".join(islice(words, max_words)))


def attributes_text(evidence: Evidence) -> str:
    """The first attributes, as ``key: value, key: value``."""
    pairs = (f"{key}: {value}" for key, value in islice(evidence.attributes.items(), MAX_ATTRIBUTES) if value.strip())
    return _one_line(", ".join(pairs), MAX_ATTRIBUTES_LENGTH)


def weighted_mean(
    parts: Sequence[tuple[float, Sequence[str]]], width: int, encode: Callable[[Sequence[str]], Vectors]
) -> Vectors:
    """Unit rows (n, width): the mean of the vectors of n listings' texts, which ``parts`` gives with their weights.

    Each distinct text is encoded once; texts without a letter do not count. A row of zeros for a listing without texts.
    """
    used = [(weight, [text if _has_letter(text) else "" for text in texts]) for weight, texts in parts if weight > 0]
    distinct = dict.fromkeys(text for _, texts in used for text in texts if text)
    row_of_text = {text: row for row, text in enumerate(distinct)}
    sums = np.zeros((len(parts[0][1]), width), np.float32)
    if distinct:
        vectors = encode(list(distinct))
        for weight, texts in used:
            rows = [row for row, text in enumerate(texts) if text]
            sums[rows] += np.float32(weight) * vectors[[row_of_text[texts[row]] for row in rows]]
    return unit_rows(sums)


def unit_rows(vectors: Vectors) -> Vectors:
    """Divide each row by its length; rows of zeros stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


class EncodableTexts(NamedTuple):
    """Texts that are not empty, and the row indices of their listings."""

    texts: list[str]
    rows: list[int]


def encodable_texts(evidences: Sequence[Evidence]) -> EncodableTexts:
    """The short texts of the listings that have one."""
    texts = [short_text(evidence) for evidence in evidences]
    rows = [row for row, text in enumerate(texts) if text]
    return EncodableTexts([texts[row] for row in rows], rows)


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _one_line(text: str, max_length: int) -> str:
    line = " ".join(html.unescape(text[: 2 * max_length]).replace("\0", " ").split())[:max_length]
    return _replace_surrogates(line)


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be encoded

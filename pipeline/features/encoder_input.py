"""The short text of a listing for pretrained sentence encoders: its name.

Such encoders were trained on sentences. On listings, the name alone does better than the description (an adjusted Rand
index of 0.70 against 0.45 with the same encoder), which consists mostly of boilerplate and key-value specifications;
both together lie between the two. So the description is used only if there is no name.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.domain.listing import Evidence
from pipeline.features import text_cleaning
from pipeline.features.extractor import Vectors

MAX_NAME_LENGTH = 200  # characters of a name; beyond that there are only keywords
MAX_WORDS = 30  # of a description


def short_text(evidence: Evidence) -> str:
    """The name as written, else the first words of the cleaned description; empty when there is neither."""
    name = " ".join(html.unescape(evidence.name[: 2 * MAX_NAME_LENGTH]).replace("\0", " ").split())[:MAX_NAME_LENGTH]
    if name:
        return _replace_surrogates(name)
    words = [word for word in text_cleaning.words(evidence.description) if not word.startswith("#")]
    return _replace_surrogates(" ".join(words[:MAX_WORDS]))


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


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be encoded

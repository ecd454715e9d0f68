"""A text encoder for tests: the sum of a random vector per word, the same for words that mean the same."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from pipeline.domain.listing import Evidence
from pipeline.features.encoder_input import unit_rows
from pipeline.features.extractor import Vectors

WIDTH = 64
# Words that mean the same in the two languages of the fake encoder.
SAME = {
    "mugs": "mug",
    "tasses": "mug",
    "tasse": "mug",
    "pans": "pan",
    "poele": "pan",
    "shoes": "shoe",
    "kitchen": "pan",
}


class WordEncoder:
    """Sums of a random vector per known word; records the texts that it was asked for."""

    version: ClassVar[int] = 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fit(self, evidences: Sequence[Evidence]) -> Self:  # noqa: ARG002
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        self.asked += [evidence.name for evidence in evidences]
        rows = np.zeros((len(evidences), WIDTH), np.float32)
        for row, evidence in zip(rows, evidences, strict=True):
            for word in re.findall(r"[a-z]+", f"{evidence.name} {evidence.description}".lower()):
                row += np.random.default_rng(zlib.crc32(SAME.get(word, word).encode())).normal(size=WIDTH)
        return unit_rows(rows)

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:  # noqa: ARG003
        return cls()

"""Prediction: categories ranked by one modality of a model version."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Modality(StrEnum):
    """The evidence that a prediction is made from."""

    TEXT = "text"
    IMAGE = "image"
    FUSED = "fused"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A category (canonical path text) with its calibrated probability."""

    category: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Categories ranked by probability, best first; never empty."""

    modality: Modality
    ranked: tuple[Ranked, ...]

    @property
    def best(self) -> Ranked:
        """The most probable category."""
        return self.ranked[0]

"""Open-set evaluation: the decisions of a model on products of categories that it was not trained on.

A catalogue that grows brings such products, and none of a model's categories is right for them. No held-out figure of
known categories says how many are assigned all the same. So categories are held out one at a time: a model is
trained without one, and predicts the listings of that category.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.classification.metrics import PredictedListings
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.errors import InvalidInput
from pipeline.domain.json_values import JsonObject
from pipeline.domain.listing import Example
from pipeline.domain.progress import Progress, stage

# Train as the rest of the evaluation does, and predict each listing in order.
Train = Callable[[Sequence[Example], Progress], TrainedModel]
Predict = Callable[[TrainedModel, Sequence[Example]], PredictedListings]


@dataclass(frozen=True, slots=True)
class UnknownCategory:
    """A category left out of a training, and the shares of its ``n`` listings assigned all the same, or novel."""

    category: str
    n: int
    assigned: float
    novel: float

    def as_json(self) -> JsonObject:
        """As ``rayon evaluate --json`` has it, where the novel share is called ``strange``."""
        return {"category": self.category, "n": self.n, "assigned": self.assigned, "strange": self.novel}


@dataclass(frozen=True, slots=True)
class OpenSetFigures:
    """The share of ``n`` listings of unknown categories that is assigned all the same, and each category's."""

    n: int
    assigned: float
    categories: tuple[UnknownCategory, ...]

    def as_json(self) -> JsonObject:
        """As ``rayon evaluate --json`` has them."""
        return {"n": self.n, "assigned": self.assigned, "categories": [each.as_json() for each in self.categories]}


def draw_categories(names: Sequence[str], most: int, seed: int) -> list[str]:
    """Draw up to ``most`` of the categories in ``names``; InvalidInput when two others would not be left."""
    known = sorted(set(names))
    if most and len(known) < 3:
        raise InvalidInput(f"{len(known)} categories are too few to keep one from a model; at least 3 are needed")
    return [known[at] for at in sorted(np.random.default_rng(seed).permutation(len(known))[:most].tolist())]


def evaluate_unknown_categories(
    examples: Sequence[Example],
    names: Sequence[str],
    drawn: Sequence[str],
    train: Train,
    predict: Predict,
    progress: Progress,
) -> OpenSetFigures:
    """Train a model without each of the ``drawn`` categories, and predict the listings of that category.

    ``names`` are the categories of all examples.
    """
    categories, assigned = [], []
    for at, category in enumerate(drawn):
        known = [example for example, name in zip(examples, names, strict=True) if name != category]
        unknown = [example for example, name in zip(examples, names, strict=True) if name == category]
        own_progress = stage(progress, at / len(drawn), (at + 1) / len(drawn), f"without {category}: ")
        predictions = predict(train(known, own_progress), unknown)
        assigned.append(predictions.assigned)
        shares = float(predictions.assigned.mean()), float(predictions.novel.mean())
        categories.append(UnknownCategory(category, len(unknown), *shares))
    together = np.concatenate(assigned)
    return OpenSetFigures(len(together), float(together.mean()), tuple(categories))

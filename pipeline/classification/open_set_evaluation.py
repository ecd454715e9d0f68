"""What a model does with products of a category that it does not know: one category after the other is kept from it.

A catalogue that grows brings such products, and none of a model's categories is right for them. How many are assigned
all the same is what no held-out figure of known categories tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipeline.classification.feature_extraction import Progress
from pipeline.classification.metrics import PredictedListings
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example

# Training as it is done everywhere else in the same evaluation, and what a model says of each listing, in order.
Teach = Callable[[Sequence[Example], Progress], TrainedModel]
Ask = Callable[[TrainedModel, Sequence[Example]], PredictedListings]


def draw_categories(names: Sequence[str], most: int, seed: int) -> list[str]:
    """Up to ``most`` of the categories in ``names``, by chance; InvalidInput when two others would not be left."""
    known = sorted(set(names))
    if most and len(known) < 3:
        raise InvalidInput(f"{len(known)} categories are too few to keep one from a model; at least 3 are needed")
    return [known[at] for at in sorted(np.random.default_rng(seed).permutation(len(known))[:most].tolist())]


def evaluate_unknown_categories(
    examples: Sequence[Example], names: Sequence[str], drawn: Sequence[str], teach: Teach, ask: Ask, progress: Progress
) -> dict[str, Any]:
    """Keep each of the categories ``drawn`` from a model, and ask it about their listings; ``names`` are of all.

    ``assigned`` is the share of them that it would have assigned; ``categories`` has it for each, and the share that it
    found ``strange``, unlike all it knew.
    """
    rows, assigned = [], []
    for at, away in enumerate(drawn):

        def part(share: float, note: str, at: int = at, away: str = away) -> None:
            progress((at + share) / len(drawn), f"without {away}: {note}")

        model = teach([example for example, name in zip(examples, names, strict=True) if name != away], part)
        judged = ask(model, [example for example, name in zip(examples, names, strict=True) if name == away])
        assigned.append(judged.assigned)
        rows.append(
            {
                "category": away,
                "n": len(judged.assigned),
                "assigned": float(judged.assigned.mean()),
                "strange": float(judged.strange.mean()),
            }
        )
    together = np.concatenate(assigned)
    return {"n": len(together), "assigned": float(together.mean()), "categories": rows}

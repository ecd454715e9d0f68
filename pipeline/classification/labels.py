"""Which listings and categories a model can learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.targets import Targets
from pipeline.classification.taxonomy_level import choose_level, cut
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example

LEAST = 2


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """The listings kept, their labels (indices into the sorted ``categories``), and how many were left out of each."""

    level: int
    examples: tuple[Example, ...]
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def names(self) -> list[str]:
        """The category of each listing, as text."""
        return [self.categories[label] for label in self.labels]

    def lesson(self, folds: NDArray[np.int64]) -> Targets:
        """What these listings teach; ``folds`` (n,) are theirs."""
        paths = [example.category for example in self.examples]
        return Targets.of(paths, self.labels, len(self.categories), folds, self.level)


def label(examples: Sequence[Example], level: int | None) -> LabelledSet:
    """Cut the categories to ``level`` (None: ``choose_level``) and leave out those of fewer than two listings.

    Raises InvalidInput when fewer than two categories are left: there is nothing to tell apart.
    """
    if not examples:
        raise InvalidInput("there are no labelled listings to learn from; import a catalogue with categories first")
    chosen = level if level is not None else choose_level([example.category for example in examples])
    if chosen < 1:
        raise InvalidInput(f"the level is {chosen}; it starts at 1, the top of the taxonomy")
    names = [cut(example.category, chosen) for example in examples]
    counts = Counter(names)
    categories = tuple(sorted(name for name, count in counts.items() if count >= LEAST))
    if len(categories) < 2:
        found = ", ".join(sorted(counts)[:5])
        raise InvalidInput(
            f"at level {chosen} fewer than two categories have {LEAST} listings or more ({found}); "
            "add listings of other categories, or choose a deeper level"
        )
    index = {name: at for at, name in enumerate(categories)}
    kept = [(example, index[name]) for example, name in zip(examples, names, strict=True) if name in index]
    left_out = {name: count for name, count in sorted(counts.items()) if name not in index}
    labels = np.array([at for _, at in kept], np.int64)
    return LabelledSet(chosen, tuple(example for example, _ in kept), labels, categories, left_out)

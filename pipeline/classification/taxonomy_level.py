"""Which level of the taxonomy a catalogue can be learned and judged at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.domain.category import Category

ENOUGH = 20
MOST = 0.95


def cut(category: str, level: int) -> str:
    """The canonical text of the category's ancestor at ``level`` (1 = top)."""
    return str(Category.parse(category).at_level(level))


def choose_level(categories: Sequence[str], enough: int = ENOUGH, share: float = MOST) -> int:
    """The deepest level at which ``share`` of the listings lie in categories of at least ``enough`` listings, else 1.

    A listing whose path ends above a level keeps its own category there; a level that divides nothing any further than
    the one above is not chosen.
    """
    parsed = [Category.parse(category) for category in categories]
    best, kinds = 1, 0
    for level in range(1, max((category.level for category in parsed), default=1) + 1):
        counts = Counter(category.at_level(level) for category in parsed)
        covered = sum(count for count in counts.values() if count >= enough)
        if covered >= share * len(parsed) and len(counts) > kinds:
            best, kinds = level, len(counts)
    return best

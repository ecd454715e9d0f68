"""Dempster-Shafer theory on a tree of categories: combines several grounds, each of which may be partly undecided.

A ground assigns masses to categories; its unassigned mass goes to the frame, the root above all categories. Grounds for
a category and for one of its ancestors agree: the product of their masses goes to the lower category. Grounds for
unrelated categories contradict each other: the product goes to the frame (Yager 1987, On the Dempster-Shafer
framework). So one strong ground is enough, a weak one does no harm, and a contradiction leaves little belief in any
category.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from pipeline.domain.category import SEPARATOR

FRAME = ""
NORMAL_95 = 1.96  # quantile of the normal distribution for a two-sided 95 % interval
# The minimum share of its parent's belief that a category needs to be preferred to the parent.
MIN_SHARE_OF_PARENT = 0.75

Masses = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Combination:
    """The combined masses, including that of the frame, and the ``contradiction`` (0 to 1) of the grounds."""

    masses: dict[str, float]
    contradiction: float


def lower_bound(successes: int, trials: int, z: float = NORMAL_95) -> float:
    """The lower bound of the score interval of a share (Wilson 1927); 0 without trials."""
    if trials == 0:
        return 0.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half_width = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (centre - half_width) / (1 + z * z / trials))


def lies_in(category: str, branch: str) -> bool:
    """Whether a category is the root of the branch or one of its descendants."""
    return branch == FRAME or category == branch or category.startswith(branch + SEPARATOR)


def branches_of(category: str) -> list[str]:
    """The category and its ancestors, from the top down."""
    parts = category.split(SEPARATOR)
    return [SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def masses_of_shares(counts: Mapping[str, int], total: int) -> dict[str, float]:
    """Masses such that the belief in each category is the lower bound of its share of ``total``.

    A parent category gets the amount by which its own bound exceeds the sum of its children's beliefs.
    """
    branch_counts: dict[str, int] = {}
    for category, count in counts.items():
        for branch in branches_of(category):
            branch_counts[branch] = branch_counts.get(branch, 0) + count
    masses: dict[str, float] = {}
    children_beliefs: dict[str, float] = {}
    for branch in sorted(branch_counts, key=lambda path: -path.count(SEPARATOR)):
        bound = lower_bound(branch_counts[branch], total)
        belief_in_children = children_beliefs.get(branch, 0.0)
        masses[branch] = max(0.0, bound - belief_in_children)
        parent = branch.rpartition(SEPARATOR)[0]
        children_beliefs[parent] = children_beliefs.get(parent, 0.0) + max(bound, belief_in_children)
    return {branch: mass for branch, mass in masses.items() if mass > 0}


def combine(grounds: Iterable[Masses]) -> Combination:
    """Combine the masses of all grounds by Yager's rule."""
    combined: dict[str, float] = {FRAME: 1.0}
    for ground in grounds:
        masses = dict(ground)
        masses[FRAME] = masses.get(FRAME, 0.0) + max(0.0, 1.0 - sum(masses.values()))
        products: dict[str, float] = {}
        for category, mass in combined.items():
            for ground_category, ground_mass in masses.items():
                if lies_in(category, ground_category):
                    lower = category
                elif lies_in(ground_category, category):
                    lower = ground_category
                else:
                    continue
                products[lower] = products.get(lower, 0.0) + mass * ground_mass
        combined = products
    contradiction = max(0.0, 1.0 - sum(combined.values()))
    combined[FRAME] = combined.get(FRAME, 0.0) + contradiction
    return Combination(combined, contradiction)


def beliefs(masses: Masses) -> dict[str, float]:
    """The belief in each category that has a mass, and in its ancestors: the sum of its mass and its descendants'."""
    belief_by_category: dict[str, float] = {}
    for category, mass in masses.items():
        if category != FRAME:
            for branch in branches_of(category):
                belief_by_category[branch] = belief_by_category.get(branch, 0.0) + mass
    return belief_by_category


def deepest_believed(beliefs: Mapping[str, float], excluded: Sequence[str] = ()) -> str | None:
    """The deepest category with most of the belief in its ancestors, starting at the most believed top category.

    A child is preferred while its belief is at least MIN_SHARE_OF_PARENT of its parent's. ``excluded`` categories are
    not returned, but their ancestors and descendants may be. None if there is no category.
    """
    deepest: str | None = None
    candidates, parent = {branch for branch in beliefs if SEPARATOR not in branch}, FRAME
    while candidates:
        best = max(candidates, key=lambda branch: (beliefs[branch], branch))
        if parent != FRAME and beliefs[best] < MIN_SHARE_OF_PARENT * beliefs[parent]:
            break
        deepest, parent = (deepest if best in excluded else best), best
        candidates = {branch for branch in beliefs if branch.rpartition(SEPARATOR)[0] == parent}
    return deepest

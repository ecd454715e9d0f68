"""Dempster-Shafer theory on a tree of categories: combines several grounds, each with a part that it leaves open.

A ground gives masses to categories; the mass that it gives to none goes to the frame, the root above every category.
Two grounds that name a category and one above it agree on the lower one, so their masses strengthen each other; grounds
that name unrelated categories contradict each other, and the product of their masses goes to the frame, too (Yager
1987, On the Dempster-Shafer framework). So one strong ground is enough, a weak one does no harm, and a contradiction
leaves little belief in anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from pipeline.domain.category import SEPARATOR

FRAME = ""
NORMAL_95 = 1.96  # quantile of the normal distribution for a 95 % interval
# A child is followed while it keeps this share of its parent's belief; otherwise its siblings disagree.
KEPT_SHARE = 0.75

Masses = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Combination:
    """The combined masses, including the frame's, and their ``contradiction`` (0 to 1)."""

    masses: dict[str, float]
    contradiction: float


def lower_bound(successes: int, trials: int, z: float = NORMAL_95) -> float:
    """The lower end of the score interval of a share (Wilson 1927); 0 for no trials."""
    if trials == 0:
        return 0.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (centre - spread) / (1 + z * z / trials))


def lies_in(category: str, branch: str) -> bool:
    """Whether a category is the branch itself, or below it."""
    return branch == FRAME or category == branch or category.startswith(branch + SEPARATOR)


def branches_of(category: str) -> list[str]:
    """The category and all above it, from the top down."""
    parts = category.split(SEPARATOR)
    return [SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def masses_of_shares(counts: Mapping[str, int], total: int) -> dict[str, float]:
    """Masses such that the belief in every category is the lower bound of its share of ``total``.

    A category above two that share the counts gets what its own bound has more than theirs.
    """
    within: dict[str, int] = {}
    for category, count in counts.items():
        for branch in branches_of(category):
            within[branch] = within.get(branch, 0) + count
    masses: dict[str, float] = {}
    believed: dict[str, float] = {}
    for branch in sorted(within, key=lambda path: -path.count(SEPARATOR)):
        bound = lower_bound(within[branch], total)
        below = believed.get(branch, 0.0)
        masses[branch] = max(0.0, bound - below)
        parent = branch.rpartition(SEPARATOR)[0]
        believed[parent] = believed.get(parent, 0.0) + max(bound, below)
    return {branch: mass for branch, mass in masses.items() if mass > 0}


def combine(grounds: Iterable[Masses]) -> Combination:
    """Combine the masses of all grounds by Yager's rule."""
    combined: dict[str, float] = {FRAME: 1.0}
    for ground in grounds:
        masses = dict(ground)
        masses[FRAME] = masses.get(FRAME, 0.0) + max(0.0, 1.0 - sum(masses.values()))
        products: dict[str, float] = {}
        for one, mass in combined.items():
            for other, other_mass in masses.items():
                lower = one if lies_in(one, other) else other if lies_in(other, one) else None
                if lower is not None:
                    products[lower] = products.get(lower, 0.0) + mass * other_mass
        combined = products
    contradiction = max(0.0, 1.0 - sum(combined.values()))
    combined[FRAME] = combined.get(FRAME, 0.0) + contradiction
    return Combination(combined, contradiction)


def beliefs(masses: Masses) -> dict[str, float]:
    """The belief in each category with a mass and in those above it: the sum of its masses and those below."""
    believed: dict[str, float] = {}
    for category, mass in masses.items():
        if category != FRAME:
            for branch in branches_of(category):
                believed[branch] = believed.get(branch, 0.0) + mass
    return believed


def deepest(believed: Mapping[str, float], without: Sequence[str] = ()) -> str | None:
    """Follow the most believed top category down while one below keeps most of the belief; None when there is none.

    Categories of ``without`` are not chosen, but those above and below them may be.
    """
    chosen: str | None = None
    level, parent = {branch for branch in believed if SEPARATOR not in branch}, FRAME
    while level:
        best = max(level, key=lambda branch: (believed[branch], branch))
        if parent != FRAME and believed[best] < KEPT_SHARE * believed[parent]:
            break
        chosen, parent = (chosen if best in without else best), best
        level = {branch for branch in believed if branch.rpartition(SEPARATOR)[0] == parent}
    return chosen

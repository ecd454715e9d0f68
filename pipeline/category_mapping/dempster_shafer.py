"""Belief in the categories of a tree: what several grounds say, each with what it leaves open, made one.

A ground gives masses to categories; what it does not give away says "somewhere". Two grounds that name a category and
one above it agree on the lower one, so their masses strengthen each other; those that name unrelated ones contradict
each other, and that product counts as "somewhere", too (Yager 1987, On the Dempster-Shafer framework). So one strong
ground is enough, a weak one does no harm, and a contradiction leaves little belief in anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

from pipeline.domain.category import SEPARATOR

SOMEWHERE = ""  # lies above every category
NORMAL = 1.96  # of 95 %
# A child is gone down to while it keeps this share of the belief; else its siblings disagree.
KEPT = 0.75

Masses = Mapping[str, float]


def lower_bound(found: int, of: int, z: float = NORMAL) -> float:
    """The least share that ``found`` of ``of`` speak for: lower end of the score interval (Wilson 1927); 0 of none."""
    if of == 0:
        return 0.0
    share = found / of
    centre = share + z * z / (2 * of)
    spread = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (centre - spread) / (1 + z * z / of))


def lies_in(category: str, above: str) -> bool:
    """Whether a category is the one above, or below it."""
    return above == SOMEWHERE or category == above or category.startswith(above + SEPARATOR)


def upwards(category: str) -> list[str]:
    """The category and all above it, from the top down."""
    parts = category.split(SEPARATOR)
    return [SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def masses_of_shares(counts: Mapping[str, int], of: int) -> dict[str, float]:
    """Masses of ``counts`` among ``of``, so that the belief in every category is the lower bound of its share.

    A category above two that share what was counted gets what its own bound has more than theirs.
    """
    within: dict[str, int] = {}
    for category, count in counts.items():
        for node in upwards(category):
            within[node] = within.get(node, 0) + count
    masses: dict[str, float] = {}
    believed: dict[str, float] = {}
    for node in sorted(within, key=lambda path: -path.count(SEPARATOR)):
        bound = lower_bound(within[node], of)
        below = believed.get(node, 0.0)
        masses[node] = max(0.0, bound - below)
        parent = node.rpartition(SEPARATOR)[0]
        believed[parent] = believed.get(parent, 0.0) + max(bound, below)
    return {node: mass for node, mass in masses.items() if mass > 0}


def combine(grounds: Iterable[Masses]) -> tuple[dict[str, float], float]:
    """The masses of all grounds together, "somewhere" included, and how much of them contradicted each other."""
    together: dict[str, float] = {SOMEWHERE: 1.0}
    for ground in grounds:
        said = dict(ground)
        said[SOMEWHERE] = said.get(SOMEWHERE, 0.0) + max(0.0, 1.0 - sum(said.values()))
        following: dict[str, float] = {}
        for one, mass in together.items():
            for other, its in said.items():
                lower = one if lies_in(one, other) else other if lies_in(other, one) else None
                if lower is not None:
                    following[lower] = following.get(lower, 0.0) + mass * its
        together = following
    contradiction = max(0.0, 1.0 - sum(together.values()))
    together[SOMEWHERE] = together.get(SOMEWHERE, 0.0) + contradiction
    return together, contradiction


def beliefs(masses: Masses) -> dict[str, float]:
    """The belief in each category that masses lie in, or above such: the sum of those in it and below."""
    believed: dict[str, float] = {}
    for category, mass in masses.items():
        if category != SOMEWHERE:
            for node in upwards(category):
                believed[node] = believed.get(node, 0.0) + mass
    return believed


def deepest(believed: Mapping[str, float], without: Sequence[str] = ()) -> str | None:
    """From the most believed top category down, while one below keeps most of the belief; None when there is none.

    Categories of ``without`` are passed over, those above and below them are not.
    """
    chosen: str | None = None
    level, at = {node for node in believed if SEPARATOR not in node}, SOMEWHERE
    while level:
        best = max(level, key=lambda node: (believed[node], node))
        if at != SOMEWHERE and believed[best] < KEPT * believed[at]:
            break
        chosen, at = (chosen if best in without else best), best
        level = {node for node in believed if node.rpartition(SEPARATOR)[0] == at}
    return chosen

"""Retired categories: models neither answer nor suggest them, trainings do not learn them, lists leave them out.

A retired category and all below it stay in the store, so that decisions and reviews of the past can be read, and so
that a seller who still names it does not bring it back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from pipeline.domain.category import Category
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import LabelledListing
from pipeline.ports.unit_of_work import UnitsOfWork


def retire_category(units: UnitsOfWork, taxonomy_id: int, path: str) -> int:
    """Retire a category of a taxonomy; returns how many categories that are, with those below it.

    Raises InvalidCategory for an invalid path, NotFound if the taxonomy does not have it or it is retired already.
    """
    category = str(Category.read(path))
    with units() as unit:
        unit.models.lock_taxonomy(taxonomy_id)  # waits for the decisions in flight
        count = unit.sources.retire_category(taxonomy_id, category)
        if not count:
            raise NotFound(f"the taxonomy has no category '{category}', or it is retired already")
        unit.commit()
        return count


def restore_category(units: UnitsOfWork, taxonomy_id: int, path: str) -> int:
    """Undo the retirement of a category and of those below it; returns how many. Raises as ``retire_category`` does."""
    category = str(Category.read(path))
    with units() as unit:
        unit.models.lock_taxonomy(taxonomy_id)
        count = unit.sources.restore_category(taxonomy_id, category)
        if not count:
            raise NotFound(f"the taxonomy has no retired category '{category}'")
        unit.commit()
        return count


def without_retired(listings: Iterable[LabelledListing], retired: Collection[str]) -> Iterator[LabelledListing]:
    """The listings with the deepest category on their path that is not retired; those without one are left out."""
    known = frozenset(retired)
    for listing in listings:
        path = Category.parse(listing.category).path
        level = next((level for level in range(1, len(path) + 1) if str(Category(path[:level])) in known), None)
        if level is None:
            yield listing
        elif level > 1:
            yield replace(listing, category=str(Category(path[: level - 1])))

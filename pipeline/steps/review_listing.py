"""Reviews: a reviewer's category for a listing, which overrides every model and is a label for training."""

from __future__ import annotations

from pipeline.domain.category import Category
from pipeline.ports.unit_of_work import UnitsOfWork


def review(units: UnitsOfWork, listing_id: int, category: str, reviewer: str, note: str = "") -> None:
    """Write a reviewer's category. Raises InvalidCategory for an invalid path, NotFound for an unknown listing."""
    path = str(Category.parse(category))
    with units() as unit:
        unit.listings.review(listing_id, path, reviewer, note)
        unit.commit()

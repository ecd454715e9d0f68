"""Retired categories: what is retired, what trainings learn instead, what workers are told."""

from __future__ import annotations

import pytest

from pipeline.domain.errors import NotFound
from pipeline.domain.listing import LabelledListing
from pipeline.steps.retire_categories import restore_category, retire_category, without_retired
from tests.fakes.unit_of_work import MemoryStore


def listing(category: str) -> LabelledListing:
    return LabelledListing(1, "1", "name", "", {}, category, None)


def test_listings_of_a_retired_category_are_learned_at_the_level_above() -> None:
    categories = ["A >> B >> C", "A >> B", "A >> D", "E >> F", "A >> BC"]
    found = without_retired(map(listing, categories), {"A >> B", "E"})
    assert [each.category for each in found] == ["A", "A", "A >> D", "A >> BC"]


def test_a_category_is_retired_with_those_below_it_and_restored() -> None:
    store = MemoryStore()
    shop = store.add_source("shop")
    store.activate_model(shop.taxonomy_id)
    with store.units() as unit:
        unit.sources.add_categories(shop.id, ["A >> B >> C", "A >> BC"])
        unit.commit()
    assert retire_category(store.units, shop.taxonomy_id, "A > B") == 2
    assert store.tables.retired[shop.taxonomy_id] == {"A >> B", "A >> B >> C"}
    with pytest.raises(NotFound, match="retired already"):
        retire_category(store.units, shop.taxonomy_id, "A >> B")
    with pytest.raises(NotFound):
        retire_category(store.units, shop.taxonomy_id, "Z")
    assert restore_category(store.units, shop.taxonomy_id, "A >> B >> C") == 1
    assert store.tables.retired[shop.taxonomy_id] == {"A >> B"}

"""What sources promise: one of a name, in one taxonomy."""

from __future__ import annotations

import pytest

from pipeline.domain.category_notation import CategoryChoice, CategoryNotation
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.retire_categories import restore_category, retire_category
from pipeline.steps.source_registration import find_or_add_source, set_notation, source_of_products
from tests.contracts.contract_store import ContractStore


def test_a_source_is_added_once_with_a_taxonomy_of_its_name(units: UnitsOfWork) -> None:
    shop = find_or_add_source(units, " shop ")
    assert (shop.name, shop.taxonomy) == ("shop", "shop")
    assert find_or_add_source(units, "shop") == shop
    assert find_or_add_source(units, "shop", "shop") == shop
    with pytest.raises(InvalidInput, match="belongs to the taxonomy 'shop'"):
        find_or_add_source(units, "shop", "market")
    with pytest.raises(InvalidInput):
        find_or_add_source(units, "  ")


def test_sources_share_a_taxonomy_by_its_name(units: UnitsOfWork) -> None:
    shop, market = find_or_add_source(units, "shop"), find_or_add_source(units, "market", "shop")
    assert market.id != shop.id
    assert market.taxonomy_id == shop.taxonomy_id
    with units() as unit:
        unit.sources.add_categories(market.id, ["Home >> Kitchen"])
        unit.commit()
    with units() as unit:
        assert unit.sources.category_paths(shop.id) == ["Home", "Home >> Kitchen"]
        assert unit.sources.has_category(shop.id, "Home")
        assert not unit.sources.has_category(shop.id, "Kitchen")


def test_products_join_the_only_taxonomy_that_has_a_model(store: ContractStore, units: UnitsOfWork) -> None:
    assert source_of_products(units, "openfoodfacts").taxonomy == "openfoodfacts", "no taxonomy has one"
    store.activate_model(find_or_add_source(units, "shop").taxonomy_id)
    assert source_of_products(units, "openfoodfacts").taxonomy == "openfoodfacts", "it had one already"
    assert source_of_products(units, "openfoodfacts", " drinks ").taxonomy == "shop"
    assert source_of_products(units, "openfoodfacts", "own", "own shelves").taxonomy == "own shelves"
    with pytest.raises(InvalidInput, match="belongs to the taxonomy 'shop'"):
        source_of_products(units, "openfoodfacts", "drinks", "own shelves")
    store.activate_model(find_or_add_source(units, "market").taxonomy_id)
    assert source_of_products(units, "openbeautyfacts").taxonomy == "openbeautyfacts", "two have one"


def test_a_source_keeps_how_it_writes_categories(units: UnitsOfWork) -> None:
    shop, market = find_or_add_source(units, "shop"), find_or_add_source(units, "market")
    assert shop.notation == CategoryNotation()
    notation = CategoryNotation("/", "\n", CategoryChoice.FIRST)
    assert set_notation(units, "shop", notation).notation == notation
    assert find_or_add_source(units, "shop").notation == notation
    assert find_or_add_source(units, "market") == market
    set_notation(units, "shop", CategoryNotation())
    assert find_or_add_source(units, "shop") == shop
    with pytest.raises(NotFound):
        set_notation(units, "bazaar", notation)


def test_retired_categories_stay_retired_when_a_seller_names_them(units: UnitsOfWork) -> None:
    shop = find_or_add_source(units, "shop")
    with units() as unit:
        unit.sources.add_categories(shop.id, ["Home >> Kitchen >> Mugs", "Home >> Kitchenware"])
        unit.commit()
    assert retire_category(units, shop.taxonomy_id, "Home >> Kitchen") == 2
    with pytest.raises(NotFound):
        retire_category(units, shop.taxonomy_id, "Home >> Kitchen >> Mugs")
    with units() as unit:
        unit.sources.add_categories(shop.id, ["Home >> Kitchen >> Mugs"])
        unit.commit()
    with pytest.raises(NotFound):
        retire_category(units, shop.taxonomy_id, "Home >> Kitchen >> Mugs")
    assert restore_category(units, shop.taxonomy_id, "Home") == 2

"""What a database gives, however untidy, becomes a product or a reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sources.product_normalisation import normalise
from pipeline.domain.listing import MAX_DESCRIPTION, MAX_NAME
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.product_source import SourceProduct

FOOD = DATABASES["openfoodfacts"]
CODE = "2000000010014"
SHARED = Path(__file__).resolve().parents[5] / "shared" / "data" / "off"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("code", "product_name", "product_name_en", "ingredients_text", "categories_tags", "image_front_url", "images",
          "last_modified_t", "brands", "lang", "selected_images")  # fmt: skip


def tidied(**fields: Any) -> SourceProduct:
    return normalise({"code": CODE, "product_name": "Brut", **fields}, FOOD, ("en", "fr"))


def test_texts_come_in_the_first_language_wanted_that_has_them() -> None:
    product = tidied(
        product_name="Brut", product_name_fr="Vin", product_name_en="Wine", ingredients_text_fr="raisin", lang="fr"
    )
    assert product.content is not None
    assert product.content.name == "Wine"
    assert "raisin" in product.content.description


@pytest.mark.parametrize("code", [int(CODE), CODE, f" {CODE} "])
def test_a_barcode_may_be_a_number_or_a_text(code: object) -> None:
    assert tidied(code=code).code == CODE


@pytest.mark.parametrize("code", ["2000000010015", "12", "", None, "abc", [CODE]])
def test_an_invalid_barcode_is_a_problem_of_the_product(code: object) -> None:
    product = tidied(code=code)
    assert product.content is None
    assert "barcode" in str(product.problem)


def test_entities_and_tags_become_plain_text() -> None:
    product = tidied(product_name="Caf&eacute; &amp; <b>lait</b>\x00")
    assert product.content is not None
    assert product.content.name == "Café & lait"


def test_an_address_without_protocol_gets_one_and_categories_stay_beside_the_text() -> None:
    product = tidied(
        image_front_url="//images.openfoodfacts.org/images/products/1/front.jpg", categories_tags=["en:wines"]
    )
    assert product.content is not None
    assert product.provenance is not None
    assert product.content.images[0].startswith("https://images.openfoodfacts.org/")
    assert product.provenance.categories == ("en:wines",)
    assert "wines" not in json.dumps([product.content.name, product.content.description, *product.content.attributes])


def test_a_product_without_anything_to_judge_by_is_rejected() -> None:
    product = tidied(product_name="")
    assert product.content is None
    assert str(product.problem) == "no name, description or image"


def test_texts_are_cut_to_the_limits_of_listings() -> None:
    content = tidied(product_name="a" * (MAX_NAME + 1), ingredients_text="b" * (MAX_DESCRIPTION + 1)).content
    if content is not None:
        assert len(content.name) <= MAX_NAME
        assert len(content.description) <= MAX_DESCRIPTION


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING) | ANYTHING)
def test_any_json_becomes_a_product_or_a_problem(raw: object) -> None:
    product = normalise(raw, FOOD, ("en", "fr"))
    assert (product.content is None) == (product.problem is not None)


def recorded(part: object) -> Iterator[Mapping[str, Any]]:
    """Every product of a recorded answer, whatever it is wrapped in."""
    if isinstance(part, dict) and "code" in part and ("product_name" in part or "lang" in part):
        yield part
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from recorded(inner)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded answers are not beside this checkout")
def test_every_recorded_product_has_a_verdict() -> None:
    found = [
        normalise(raw, FOOD, ("en", "fr"))
        for file in sorted(SHARED.glob("*.json"))
        for raw in recorded(json.loads(file.read_text()))
    ]
    assert len(found) >= 26
    assert sum(product.content is not None for product in found) >= 25
    assert all(product.problem for product in found if product.content is None)

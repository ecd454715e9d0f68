"""Exports as shops write them (``feeds``): each is read as the person who exported it would expect."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.catalogue_files.catalogue import Catalogue, CatalogueOptions, open_catalogue
from infra.catalogue_files.variant_rows import VariantMode
from pipeline.domain.category_notation import CategoryChoice, CategoryNotation
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.reason_code import ReasonCode

FEEDS = Path(__file__).with_name("feeds")


@dataclass(frozen=True)
class Expected:
    """Ids, names and categories of the listings; the row numbers of variants and of rejected rows."""

    ids: list[str | None]
    names: list[str]
    categories: list[str | None]
    variants: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    platform: str | None = None


def feed(name: str, options: CatalogueOptions | None = None) -> Catalogue:
    return open_catalogue(FEEDS / name, options=options)


SEPARATED = ["Home >> Kitchen >> Mugs"] * 7 + ["Home >> Kitchen"] * 2 + ["Home >> Kitchen >> Mugs"] * 8
EXPECTED = {
    "A-woo-multicat.csv": Expected(
        ["1", "2", "3", "6"],
        ["Grey hoodie", "Blue hoodie", "V tee", "Ring, gold"],
        ["Clothing >> Hoodies", "Clothing >> Hoodies", "Clothing >> Tshirts", "Jewelry, Rings"],
        variants=[4, 5],
        platform="WooCommerce",
    ),
    "A2-woo-empty-ids.csv": Expected(
        ["S1", "S2", "S3"],
        ["Grey hoodie", "Blue hoodie", "Mug"],
        ["Clothing >> Hoodies", "Clothing >> Hoodies", "Kitchen >> Mugs"],
        platform="WooCommerce",
    ),
    "BB-entities.csv": Expected(["1", "2"], ["Café & thé", "Mug"], ["Epicerie >> Cafés", "Home & Garden >> Mugs"]),
    "CC-split-cats.csv": Expected(
        [None, None],
        ["Garlic capsules", "Water bottle"],
        ["Beauty & Hygiene >> Hair Care >> Hair Oil", "Kitchen, Garden & Pets >> Storage >> Bottles"],
    ),
    "CC2-levels.csv": Expected(
        ["1", "2"],
        ["AC 1.5 ton", "Fridge"],
        ["appliances >> Air Conditioners >> Split", "appliances >> Refrigerators"],
    ),
    "D2-shopify-filled.csv": Expected(
        ["linen-shirt", "mug"], ["Linen shirt", "Stone mug"], ["Shirts", "Kitchen"], variants=[2], platform="Shopify"
    ),
    "F-presta.csv": Expected(
        ["REF1", "REF2", "REF3"],
        ["Mug pierre", "Vertigo noir", "Dream vert"],
        [
            "Home >> Cuisine >> Mugs",
            "Parfum >> Hommes >> Aromatique",
            "Parfum >> Femmes >> Fleuri >> Agrumes",
        ],
        platform="PrestaShop",
    ),
    "FF-sci.csv": Expected([None] * 3, ["Spread 400", "Spread 800", "Chips"], ["Food"] * 3),
    "H-sep.csv": Expected(
        ["R1", "R2", "R3"],
        ["Crème brûlée à la vanille", "Théière émaillée", "Pâté de campagne"],
        ["Épicerie >> Desserts", "Maison >> Cuisine", "Épicerie >> Charcuterie"],
    ),
    "J-medusa.csv": Expected(
        ["coffee-mug", "tee"], ["Coffee Mug", "Tee"], ["Kitchen", "Apparel"], variants=[2], platform="Medusa"
    ),
    "K-akeneo.csv": Expected(
        ["1", "2"], ["Blue shirt", "Mug"], ["master_mens_shirts", "master_mugs"], platform="Akeneo"
    ),
    "M-google.tsv": Expected(
        ["g1", "g2", "g3", "g4", "g5"],
        ["Red dress", 'Mug 12" tall', 'Screen 24"', "Keyboard", "Mouse"],
        ["Home >> Women >> Dresses", "Home >> Mugs", "Home >> Screens", "Home >> Keyboards", "Home >> Mice"],
        platform="a product feed of Google or Facebook",
    ),
    "M3-google.xml": Expected(
        ["g1", "g2"],
        ["Red dress", "Mug"],
        ["Women >> Dresses", "Home >> Mugs"],
        platform="a product feed of Google or Facebook",
    ),
    "N-amazon.txt": Expected(["A1", "A2"], ["Stone mug", "Steel pan"], ["mugs", "pans"], platform="Amazon"),
    "O-off.csv": Expected(
        ["3017620422003", "0000000000017", "0000000000018", "0000000000020"],
        ["Pâte à tartiner", '"Bio" Chips', '"Unclosed chips', "Good one"],
        [
            "Petit-déjeuners >> Produits à tartiner >> Pâtes à tartiner",
            "Snacks >> Salty snacks >> Chips",
            "Snacks",
            "Beverages >> Waters",
        ],
        rejected=[4, 6],
        platform="Open Food Facts",
    ),
    "T-jsonld-graph.json": Expected(["1", "2"], ["Red dress", "Mug"], ["Clothing >> Dresses", "Home >> Mugs"]),
    "T-products-object.json": Expected(["1", "2"], ["Red dress", "Mug"], ["Dresses", "Mugs"]),
    "dup-content.csv": Expected([None] * 3, ["Mug", "Mug", "Pan"], ["Kitchen"] * 3),
    "lead-blank-bom.csv": Expected(["1"], ["Mug"], ["Kitchen"]),
    "own.csv": Expected(
        ["1", "2", "3", "4", "5", "6"],
        ["Extra virgin olive oil", "Colour pen", "Blue mug", "Red mug", "Olive oil 1 l", "Sunflower oil"],
        [
            "Food >> Oils >> Extra Virgin Olive Oil",
            "Office >> Pens",
            "Kitchen >> Mugs",
            "Kitchen >> Mugs",
            "Food >> Oils >> Extra Virgin Olive Oil",
            "Food >> Oils >> Sunflower Oil",
        ],
    ),
    "title-row.csv": Expected(["1", "2"], ["Mug", "Pan"], ["Kitchen", "Kitchen"]),
    "woo-fr.csv": Expected(["1"], ["Sweat gris"], ["Vêtements >> Sweats"], platform="WooCommerce (en français)"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_feed_is_read_as_its_exporter_expects(name: str) -> None:
    expected, catalogue = EXPECTED[name], feed(name)
    rows = list(catalogue)
    usable = [row for row in rows if row.content is not None]
    assert [row.external_id for row in usable] == expected.ids
    assert [row.content.name for row in usable if row.content] == expected.names
    assert [row.content.seller_category for row in usable if row.content] == expected.categories
    assert [row.number for row in rows if row.variant_of is not None] == expected.variants
    assert [row.number for row in rows if row.problem is not None] == expected.rejected
    assert catalogue.platform == expected.platform


def test_every_feed_has_an_expectation() -> None:
    others = {"B-image-comma.csv", "Q-seps.csv", "html.csv", "long-attr.csv", "variants-shared-desc.csv"}
    assert {file.name for file in FEEDS.iterdir()} == {*EXPECTED, *others}


def test_lists_of_images_in_all_notations() -> None:
    rows = list(feed("B-image-comma.csv"))
    images = [row.content.images for row in rows if row.content]
    assert images[0] == ("https://a.example/p/724211_a4,p-724211,s-700.jpg",)
    assert images[1] == ("https://a.example/CR1,CR2,CR3.jpg", "https://a.example/b.jpg")
    assert images[2] == images[3] == ("https://a.example/1.jpg", "https://a.example/2.jpg")
    assert images[4] == images[5] == ()
    assert [row.image_file for row in rows[4:6]] == ["lamp.jpg", "lamp.jpg"]
    assert images[6] == ("https://a.example/my photo (1).jpg",)
    assert images[7] == ("https://cdn.example/x.jpg",)
    assert len(images[8]) == 20
    assert [note.code for note in rows[8].notes] == [ReasonCode.IMAGES_LEFT_OUT]


def test_paths_in_every_notation() -> None:
    rows = list(feed("Q-seps.csv"))
    categories = [row.content.seller_category for row in rows if row.content]
    shallow = {"h", "i", "r", "ac"}
    for row, category in zip(rows, categories, strict=True):
        assert row.content is not None
        expected = "Home >> Kitchen" if row.content.name in shallow else "Home >> Kitchen >> Mugs"
        assert category is not None
        assert category.casefold() == expected.casefold(), row.content.name


def test_a_web_page_is_called_one() -> None:
    with pytest.raises(InvalidCatalogue, match="is a web page, not a catalogue"):
        feed("html.csv")


def test_a_long_attribute_is_cut_and_its_row_stays() -> None:
    first, second = feed("long-attr.csv")
    assert first.content is not None
    assert len(first.content.attributes["ingredients_text"]) == 2_000
    assert [note.code for note in first.notes] == [ReasonCode.ATTRIBUTE_SHORTENED]
    assert second.notes == ()


def test_rounded_ids_are_explained_and_no_row_is_lost() -> None:
    warnings = " ".join(feed("FF-sci.csv").warnings)
    assert "the numbers of the column 'barcode' were rounded by a spreadsheet (such as 3.01762E+12)" in warnings


def test_the_lines_before_a_header_are_passed_over_with_a_note() -> None:
    assert "line 1 before the header was passed over" in feed("H-sep.csv").warnings[0]
    assert feed("title-row.csv").warnings == ("the first 2 lines before the header were passed over",)
    assert feed("N-amazon.txt").warnings == ("the first 2 lines before the header were passed over",)


def test_variants_can_be_listings_of_their_own_that_inherit_text_and_category() -> None:
    rows = list(feed("A-woo-multicat.csv", CatalogueOptions(variants=VariantMode.SEPARATE)))
    assert [row.external_id for row in rows] == ["1", "2", "3", "4", "5", "6"]
    red = rows[3].content
    assert red is not None
    assert (red.name, red.description, red.seller_category) == ("V tee - Red", "Tee", "Clothing >> Tshirts")
    shirts = list(feed("D2-shopify-filled.csv", CatalogueOptions(variants=VariantMode.SEPARATE)))
    assert [row.external_id for row in shirts] == ["LS-S", "LS-M", "MUG"]
    assert [row.parent for row in shirts] == ["linen-shirt", "linen-shirt", "mug"]


def test_the_first_of_several_categories_can_be_chosen() -> None:
    rows = list(feed("F-presta.csv", CatalogueOptions(notation=CategoryNotation(choice=CategoryChoice.FIRST))))
    assert rows[1].content is not None
    assert rows[1].content.seller_category == "Parfum >> Hommes"


def test_reading_from_the_middle_knows_the_variants_of_earlier_rows() -> None:
    catalogue = feed("A-woo-multicat.csv")
    assert list(catalogue.rows(after=3)) == list(catalogue)[3:]

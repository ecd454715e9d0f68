"""Figures of catalogues with variants and with labels in several spellings are those of the clean catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.catalogue_files.catalogue import open_catalogue
from pipeline.classification.evaluation import evaluate
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.similar_labels import find_similar_labels
from pipeline.classification.targets import select_labelled, with_canonical_categories
from pipeline.domain.category_spelling import CategorySpelling, canonical_spellings
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.training import TEXT_ENCODER, TrainingOptions

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
FEEDS = Path(__file__).resolve().parents[2] / "infra" / "catalogue_files" / "feeds"
OPTIONS = TrainingOptions(level=1, image_extractors=(), text_encoder=None)  # groups are measured, not the encoder
SIZES, COLOURS = ("S", "M", "XL"), ("red", "navy", "black")


def accuracy(examples: list[Example], folds: int = 3) -> float:
    figures: Any = evaluate(examples, OPTIONS, folds=folds).as_json()["text"]
    return float(figures["accuracy"])


def shirts(numbers: np.random.Generator) -> list[Example]:
    """Twenty products of two categories in five sizes each, whose texts say nothing about the category."""
    examples = []
    for product in range(20):
        fabric, cut = numbers.integers(0, 5), numbers.integers(0, 4)
        category = ("Women", "Men")[product % 2]
        for size in ("XS", "S", "M", "L", "XL"):
            description = f"Long shared description of product {chr(65 + product)} with fabric {fabric} and cut {cut}"
            evidence = Evidence(f"Shirt model {chr(65 + product)} {size}", description)
            examples.append(Example(f"P{product}-{size}", evidence, category))
    return examples


def test_variants_of_products_whose_text_tells_nothing_are_not_recognised() -> None:
    figures = [accuracy(shirts(np.random.default_rng(seed)), folds=5) for seed in range(4)]
    assert 0.3 <= float(np.mean(figures)) <= 0.65
    groups = len(set(group_listings(shirts(np.random.default_rng(0)), ["A"] * 100, 5).tolist()))
    assert 17 <= groups <= 20, "the models S, M and L may be taken for sizes"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_export_of_variants_is_not_recognised_by_the_numbers_in_its_texts(seed: int) -> None:
    catalogue = open_catalogue(FEEDS / "variants-shared-desc.csv")
    examples = [
        Example(row.known_id, Evidence(content.name, content.description), content.seller_category)
        for row in catalogue
        if (content := row.content) is not None and content.seller_category is not None
    ]
    report: Any = evaluate(examples, replace(OPTIONS, seed=seed, text_encoder=TEXT_ENCODER), folds=5).as_json()
    assert report["groups"] == 20
    assert 0.35 <= report["text"]["accuracy"] <= 0.65


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared catalogues are not beside the checkout")
def test_variants_built_from_a_real_catalogue_have_the_figure_of_the_originals() -> None:
    catalogue = open_catalogue(SHARED / "flipkart" / "listings.csv")
    originals = [
        Example(str(row.number), Evidence(content.name, content.description), content.seller_category)
        for row in catalogue
        if (content := row.content) is not None and content.seller_category is not None
    ]
    variants = []
    for number, example in enumerate(originals):
        for size in range(3):
            name = f"{example.evidence.name} - {COLOURS[(number + size) % 3]} / {SIZES[size]}"
            evidence = replace(example.evidence, name=name)
            variants.append(replace(example, key=f"{example.key}-{size}", evidence=evidence))
    assert accuracy(variants) == pytest.approx(accuracy(originals), abs=0.02)


def labelled(spellings: list[str]) -> list[Example]:
    return [Example(str(n), Evidence(f"thing {n}"), spelling) for n, spelling in enumerate(spellings)]


def test_spellings_of_a_label_are_one_category_named_by_the_most_frequent() -> None:
    gardens = ["Home & Garden", "home and garden", "HOME & GARDEN", "Home & Garden", "Home  et Garden"]
    names = [*gardens, "Caf\u00e9", "Cafe\u0301"]
    examples = with_canonical_categories(labelled(names))
    assert [example.category for example in examples[:5]] == ["Home & Garden"] * 5
    assert len({example.category for example in examples[5:]}) == 1
    assert len(select_labelled(labelled(names), 1).categories) == 2


def test_parts_of_paths_are_spelled_alike_below_one_parent() -> None:
    spellings = canonical_spellings(["Home >> Mugs", "HOME >> mugs", "Home >> Mugs", "home >> Pans", "Office >> mugs"])
    assert spellings["HOME >> mugs"] == "Home >> Mugs"
    assert spellings["home >> Pans"] == "Home >> Pans"
    assert spellings["Office >> mugs"] == "Office >> mugs"


def test_an_import_spells_categories_as_the_taxonomy_does() -> None:
    spelling = CategorySpelling(["Home >> Mugs"])
    assert spelling.respell("HOME >> MUGS") == "Home >> Mugs"
    assert spelling.respell("home >> Pans") == "Home >> Pans"
    assert spelling.respell("Home >> pans") == "Home >> Pans"


def test_typos_and_other_word_orders_are_found_among_siblings() -> None:
    names = ["Curtains"] * 9 + ["Curtians"] + ["Blue mugs", "Mugs blue", "Mugs"] + ["Home >> Candles", "Home >> Candle"]
    pairs = {(pair.rare, pair.frequent) for pair in find_similar_labels(names)}
    assert pairs == {("Curtians", "Curtains"), ("Mugs blue", "Blue mugs"), ("Home >> Candles", "Home >> Candle")}

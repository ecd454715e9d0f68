"""The sample catalogue is repeatable, untidy in known ways, and neither trivial nor impossible to learn."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from infra.sample.generator import (
    COLUMNS,
    PhotoKind,
    SampleListing,
    categories,
    fresh_listings,
    generate,
    write_catalogue,
)
from pipeline.domain.category import Category


@pytest.fixture(scope="module")
def listings() -> list[SampleListing]:
    return list(generate())


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("sample"), count=120)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "one", count=40)
    write_catalogue(tmp_path / "two", count=40)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_seed_gives_another_catalogue(listings: list[SampleListing]) -> None:
    names = {listing.name for listing in listings}
    other = [listing.name for listing in generate(seed=21)]
    assert sum(name in names for name in other) < len(other) * 0.1


def test_a_longer_catalogue_begins_with_the_shorter_one(listings: list[SampleListing]) -> None:
    assert list(islice(generate(count=2000), len(listings))) == listings


def test_400_listings_have_distinct_ids(listings: list[SampleListing]) -> None:
    assert len(listings) == 400
    assert len({listing.external_id for listing in listings}) == 400
    assert listings[0].external_id == "sample-0001"


def test_names_and_descriptions_vary(listings: list[SampleListing]) -> None:
    assert len({listing.name for listing in listings}) > 380
    assert len({listing.description for listing in listings if listing.description}) > 300


def test_categories_lie_on_two_levels_and_all_are_present(listings: list[SampleListing]) -> None:
    counts = Counter(listing.category for listing in listings)
    parsed = [Category.parse(category) for category in counts]
    assert set(counts) == set(categories())
    assert 10 <= len(counts) <= 12
    assert all(category.level == 2 for category in parsed)
    assert len({category.at_level(1) for category in parsed}) >= 4
    assert min(counts.values()) >= 20


def test_every_kind_of_photo_occurs(listings: list[SampleListing]) -> None:
    counts = Counter(listing.photo_kind for listing in listings)
    assert set(counts) == set(PhotoKind)
    assert counts[PhotoKind.OWN] > 300


def test_a_listing_without_photo_says_so_and_only_it(listings: list[SampleListing]) -> None:
    drawn: Counter[PhotoKind] = Counter()
    for listing in listings:
        missing = listing.photo_kind is PhotoKind.MISSING
        assert (listing.image is None) == (listing.photo is None) == missing
        drawn[listing.photo_kind] += 1
        if missing or drawn[listing.photo_kind] <= 15:  # drawing takes its time
            assert (listing.jpeg() is None) == missing
    assert drawn.keys() == set(PhotoKind)


def test_a_misleading_photo_shows_something_else(listings: list[SampleListing]) -> None:
    misleading = [each for each in listings if each.photo_kind in (PhotoKind.OTHER, PhotoKind.LOGO)]
    assert misleading
    assert all(each.photo is not None and each.photo.subject != each.category for each in misleading)


def test_shared_photos_stay_within_a_category(listings: list[SampleListing]) -> None:
    owners: dict[str, list[SampleListing]] = {}
    for listing in listings:
        if listing.image:
            owners.setdefault(listing.image, []).append(listing)
    shared = [group for group in owners.values() if len(group) > 1]
    assert len(shared) >= 5
    assert sum(len(group) - 1 for group in shared) == sum(each.photo_kind is PhotoKind.SHARED for each in listings)
    for group in shared:
        assert len({listing.category for listing in group}) == 1
        assert len({listing.photo for listing in group}) == 1


def test_several_languages_and_english_most_of_all(listings: list[SampleListing]) -> None:
    counts = Counter(listing.language for listing in listings)
    assert len(counts) >= 4
    assert 0.10 <= counts["fr"] / len(listings) <= 0.15
    assert counts["en"] / len(listings) > 0.75


def test_a_catalogue_of_one_language_has_the_products_of_the_other(listings: list[SampleListing]) -> None:
    french, english = list(generate(100, language="fr")), list(generate(100, language="en"))
    assert {listing.language for listing in french} == {"fr"}
    for one, other, mixed in zip(french, english, listings, strict=False):
        assert (one.category, one.photo, one.image) == (other.category, other.photo, other.image)
        assert one.category == mixed.category
    assert sum(one.name == other.name for one, other in zip(french, english, strict=True)) < 10
    words = " ".join(f"{listing.name} {listing.description}" for listing in french).lower().split()
    assert not {"the", "with", "for", "and"} & set(words)
    assert len({listing.name for listing in french}) > 95
    assert len({listing.description for listing in french if listing.description}) > 75


def test_a_catalogue_without_labels_has_no_category(tmp_path: Path) -> None:
    with write_catalogue(tmp_path, 20, 21, "fr", labelled=False).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["category"] for row in rows} == {""}


def test_some_descriptions_are_missing_and_every_listing_has_a_price(listings: list[SampleListing]) -> None:
    missing = sum(not listing.description for listing in listings)
    assert 0.05 < missing / len(listings) < 0.3
    assert all(listing.name.strip() and "Price" in listing.attributes for listing in listings)


def test_no_text_has_an_unfilled_placeholder() -> None:
    texts = [f"{listing.name} {listing.description}" for listing in generate(count=1000, seed=4)]
    assert not [text for text in texts if "{" in text or "}" in text]


def test_the_written_file_reads_back(catalogue: Path) -> None:
    with catalogue.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = list(generate(count=120))
    assert tuple(rows[0]) == COLUMNS
    for row, listing in zip(rows, expected, strict=True):
        assert (row["id"], row["name"], row["description"]) == (
            listing.external_id,
            listing.name,
            listing.description,
        )
        assert json.loads(row["attributes"]) == listing.attributes
        assert (row["category"], row["image"]) == (listing.category, listing.image or "")


def test_every_image_named_exists_once_and_decodes(catalogue: Path) -> None:
    with catalogue.open(encoding="utf-8", newline="") as file:
        named = {row["image"] for row in csv.DictReader(file) if row["image"]}
    files = {path.name: path for path in (catalogue.parent / "images").iterdir()}
    assert set(files) == named
    for path in files.values():
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (256, 256), "RGB")
            image.load()
            assert len(image.getcolors(256 * 256) or ()) > 100


def test_fresh_listings_are_new_and_repeatable(listings: list[SampleListing]) -> None:
    fresh = fresh_listings()
    assert fresh == fresh_listings()
    assert len(fresh) == 6
    assert not {each.external_id for each in fresh} & {each.external_id for each in listings}
    assert not {each.name for each in fresh} & {each.name for each in listings}
    assert not {each.photo for each in fresh if each.photo} & {each.photo for each in listings}
    assert {each.category for each in fresh} <= set(categories())


def test_many_fresh_listings_are_all_different() -> None:
    fresh = fresh_listings(count=60)
    assert len({each.external_id for each in fresh}) == 60
    assert len({each.name for each in fresh}) > 55
    assert {each.category for each in fresh} == set(categories())


def test_words_alone_can_be_learned_but_not_perfectly(listings: list[SampleListing]) -> None:
    texts = [" ".join((each.name, each.description, *each.attributes.values())) for each in listings]
    labels = np.array([each.category for each in listings])
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=300)
    )
    half = len(listings) // 2
    model.fit(texts[:half], labels[:half])
    accuracy = float(np.mean(model.predict(texts[half:]) == labels[half:]))
    assert 0.8 < accuracy < 1.0


def test_no_single_word_identifies_a_category(listings: list[SampleListing]) -> None:
    for category in categories():
        texts = [f"{each.name} {each.description}".lower() for each in listings if each.category == category]
        words = Counter(word for text in texts for word in set(text.split()))
        others = {
            word
            for each in listings
            if each.category != category
            for word in f"{each.name} {each.description}".lower().split()
        }
        own = [count for word, count in words.items() if word not in others]
        assert max(own, default=0) < 0.9 * len(texts)

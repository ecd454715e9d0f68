"""Categories ranked by their names: which texts stand for a category, how they are scored, summed and centred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.classification.category_names import (
    BATCH_SIZE,
    MAX_TEXTS,
    CategoryNames,
    CategorySuggestions,
    category_texts,
    mean_vector,
)
from pipeline.domain.listing import Evidence
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.features.extractor import Vectors
from tests.unit.pipeline.classification.word_encoder import WIDTH, WordEncoder

ENTRIES = [
    CategoryEntry("Kitchen"),
    CategoryEntry("Kitchen >> Mugs"),
    CategoryEntry("Kitchen >> Pans", synonyms=("skillets",)),
    CategoryEntry("Fashion"),
    CategoryEntry("Fashion >> Shoes"),
]


@pytest.fixture
def names() -> CategoryNames:
    return CategoryNames(WordEncoder()).fit(ENTRIES)


def encode(names: CategoryNames, *texts: str) -> Vectors:
    return names.encode([Evidence(text) for text in texts])


def test_the_texts_of_a_category() -> None:
    texts = category_texts("Home >> Curtains", " for windows ", ("drapes", " "), ("Rideaux",))
    assert texts == ["buy Curtains", "buy Home, Curtains", "buy drapes", "buy Rideaux", "for windows"]
    assert category_texts("Toys") == ["buy Toys"]
    many = category_texts("Toys", "fun", [f"toy {number}" for number in range(100)])
    assert (len(many), many[-1]) == (MAX_TEXTS, "fun")


def test_a_listing_is_nearest_to_the_category_of_its_words(names: CategoryNames) -> None:
    assert names.leaves_ == ("Kitchen >> Mugs", "Kitchen >> Pans", "Fashion >> Shoes")
    predictions = names.rank(encode(names, "blue mug", "old pan", "leather shoe", "grande tasse", "skillets"))
    best = [prediction.best.category if prediction else None for prediction in predictions]
    assert best == ["Kitchen >> Mugs", "Kitchen >> Pans", "Fashion >> Shoes", "Kitchen >> Mugs", "Kitchen >> Pans"]
    first = predictions[0]
    assert first is not None
    shares = [ranked.probability for ranked in first.ranked]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert names.rank(encode(names, "")) == [None]


def test_probabilities_add_up_the_tree(names: CategoryNames) -> None:
    vectors = encode(names, "blue mug", "leather shoe")
    leaves = names.probabilities(vectors)
    assert leaves.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    wanted = ["Kitchen", "Fashion >> Shoes", "Kitchen >> Mugs", "Nowhere", "Kit"]
    summed = names.probabilities_of(wanted, vectors)
    assert summed[:, 0] == pytest.approx(leaves[:, 0] + leaves[:, 1], abs=1e-5)
    assert summed[:, 1] == pytest.approx(leaves[:, 2], abs=1e-5)
    assert summed[:, 2] == pytest.approx(leaves[:, 0], abs=1e-5)
    assert not summed[:, 3:].any()


def test_batches_of_listings_give_what_each_one_gives(names: CategoryNames) -> None:
    vectors = np.tile(encode(names, "blue mug", "old pan", "shoe"), (BATCH_SIZE // 2, 1))
    together = names.probabilities(vectors)
    assert together[-3:] == pytest.approx(names.probabilities(vectors[-3:]), abs=1e-5)
    assert together[BATCH_SIZE - 1 : BATCH_SIZE + 2] == pytest.approx(
        names.probabilities(vectors[BATCH_SIZE - 1 : BATCH_SIZE + 2]), abs=1e-5
    )


def test_what_all_listings_have_in_common_does_not_count(names: CategoryNames) -> None:
    shop = [f"{word} pan pan" for word in ("mug", "shoe", "pan", "mug", "shoe", "mug") * 20]
    vectors = encode(names, *shop)
    own = mean_vector(vectors)
    with_pans = names.probabilities(vectors[:1])[0, 1]
    assert names.probabilities(vectors[:1], own)[0, 1] < with_pans
    few = np.linalg.norm(mean_vector(vectors[:1]))
    assert few < 0.2, "one listing says little about a catalogue"
    assert mean_vector(np.zeros((3, WIDTH), np.float32)) == pytest.approx(np.zeros(WIDTH))


def test_only_changed_texts_are_embedded_again(names: CategoryNames) -> None:
    encoder = names.encoder
    assert isinstance(encoder, WordEncoder)
    encoder.asked.clear()
    before = names.vectors_.copy()
    names.fit(ENTRIES)
    assert encoder.asked == []
    assert (names.vectors_ == before).all()
    names.fit([*ENTRIES, CategoryEntry("Fashion >> Hats")])
    assert encoder.asked == ["buy Hats", "buy Fashion, Hats"]
    assert "Fashion >> Hats" in names.leaves_


def test_an_interrupted_fit_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = WordEncoder()
    names = CategoryNames(encoder)
    entries = [CategoryEntry(f"toy {number}") for number in range(BATCH_SIZE + 10)]
    real = encoder.transform

    def fails_at_the_second_batch(evidences: Sequence[Evidence]) -> Vectors:
        if encoder.asked:
            raise TimeoutError
        return real(evidences)

    with monkeypatch.context() as patched:
        patched.setattr(encoder, "transform", fails_at_the_second_batch)
        with pytest.raises(TimeoutError):
            names.fit(entries)
    encoder.asked.clear()
    assert len(names.fit(entries).leaves_) == len(entries)
    assert len(encoder.asked) == 10


def test_a_taxonomy_with_one_or_no_category() -> None:
    alone = CategoryNames(WordEncoder()).fit([CategoryEntry("Toys")])
    (prediction,) = alone.rank(encode(alone, "a toy"))
    assert prediction is not None
    assert prediction.best.category == "Toys"
    nothing = CategoryNames(WordEncoder()).fit([])
    assert CategorySuggestions(nothing, None, has_labels=False).rank([]) == []

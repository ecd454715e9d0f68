"""Features: computed once, for the listings that have the evidence, and reused while those stay the same."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from PIL import Image
from scipy import sparse

from pipeline.clustering.reduction import unit_rows
from pipeline.domain.errors import Unavailable
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import Vectors
from pipeline.study import features
from pipeline.study.features import NoFeatureStore, StoredVectors, compute_features
from tests.unit.pipeline.study.fake_steps import silent

TEXTS = [
    Evidence(f"{colour} {kind}", f"a {kind} of {stuff}")
    for colour in ("red", "blue")
    for kind, stuff in (("watch", "steel"), ("curtain", "cotton"), ("mug", "clay"), ("lamp", "glass"))
    for _ in range(4)
]


class InMemoryFeatureStore:
    """A store in memory."""

    def __init__(self) -> None:
        self._stored: dict[str, StoredVectors] = {}

    def load(self, key: str) -> StoredVectors | None:
        return self._stored.get(key)

    def save(self, key: str, stored: StoredVectors) -> None:
        self._stored[key] = stored


def photo(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize((96, 72)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("name", ["bag_of_words", "tfidf", "word2vec"])
def test_a_listing_without_text_has_no_vector(name: str) -> None:
    found = compute_features(name, [*TEXTS, Evidence("", ""), Evidence("zq")], NoFeatureStore(), None, silent)
    rows = found.matrix.toarray() if sparse.issparse(found.matrix) else found.matrix
    assert rows.shape[0] == 34
    assert found.present.tolist() == [True] * 32 + [False, False]
    assert not rows[32:].any()
    assert found.seconds > 0


def test_vectors_of_the_very_same_catalogue_are_reused() -> None:
    store = InMemoryFeatureStore()
    first = compute_features("word2vec", TEXTS, store, None, silent)
    again = compute_features("word2vec", TEXTS, store, None, silent)
    assert (first.reused, again.reused) == (0, 32)
    np.testing.assert_array_equal(first.matrix, again.matrix)
    other = compute_features("word2vec", [*TEXTS, Evidence("green watch")], store, None, silent)
    assert other.reused == 0


def test_photos_are_described_once_and_reused_when_all_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "MAX_FITTING_PHOTOS", 6)
    evidences = [Evidence("x", photo=photo(n) if n % 4 else None) for n in range(12)]
    evidences[5] = Evidence("x", photo=b"no photo at all")
    store = InMemoryFeatureStore()
    first = compute_features("fisher", evidences, store, None, silent)
    assert first.present.tolist() == [bool(n % 4) and n != 5 for n in range(12)]
    again = compute_features("fisher", evidences, store, None, silent)
    assert again.reused == first.present.sum() == 8
    np.testing.assert_array_equal(first.matrix, again.matrix)


def test_vectors_too_wide_to_be_held_keep_their_angles(monkeypatch: pytest.MonkeyPatch) -> None:
    evidences = [Evidence("x", photo=photo(n)) for n in range(12)]
    whole = compute_features("fisher", evidences, NoFeatureStore(), None, silent)
    kept = 1_000
    monkeypatch.setattr(features, "MAX_VECTOR_BYTES", 4 * len(evidences) * kept)
    bounded = compute_features("fisher", evidences, NoFeatureStore(), None, silent)
    assert bounded.matrix.shape == (12, kept)
    assert bounded.matrix.shape[1] < whole.matrix.shape[1]
    cosines = [unit @ unit.T for unit in (unit_rows(whole.matrix), unit_rows(bounded.matrix))]
    np.testing.assert_allclose(cosines[0], cosines[1], atol=0.15)


def test_no_photo_at_all_is_no_error() -> None:
    found = compute_features("fisher", TEXTS, NoFeatureStore(), None, silent)
    assert not found.present.any()


def test_missing_weights_raise_unavailable() -> None:
    with pytest.raises(Unavailable, match="models add vgg16"):
        compute_features("vgg16", TEXTS, NoFeatureStore(), None, silent)


class ConstantExtractor:
    """A pretrained extractor that counts what it is asked."""

    version: ClassVar[int] = 1
    asked: ClassVar[int] = 0

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def get_params(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def fit(self, _evidences: Sequence[Evidence]) -> Self:
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        ConstantExtractor.asked += len(evidences)
        return np.array([[len(each.name), 1.0] for each in evidences], np.float32)


def test_a_pretrained_extractor_is_asked_for_new_listings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "build_extractor", lambda _name, weights: ConstantExtractor(weights))
    store = InMemoryFeatureStore()
    compute_features("use", TEXTS[:20], store, "w", silent)
    ConstantExtractor.asked = 0
    found = compute_features("use", TEXTS, store, "w", silent)
    assert (found.reused, ConstantExtractor.asked) == (20, 12)
    np.testing.assert_array_equal(found.matrix[:, 0], [len(text.name) for text in TEXTS])
    assert compute_features("use", TEXTS, store, "other weights", silent).reused == 0

import io

import numpy as np
import pytest
from PIL import Image
from scipy import sparse

from pipeline.clustering.reduction import unit_rows
from pipeline.domain.errors import Unavailable
from pipeline.domain.listing import Evidence
from pipeline.features import extractor
from pipeline.study import features
from pipeline.study.features import Forgetful, compute

TEXTS = [
    Evidence(f"{colour} {kind}", f"a {kind} of {stuff}")
    for colour in ("red", "blue")
    for kind, stuff in (("watch", "steel"), ("curtain", "cotton"), ("mug", "clay"), ("lamp", "glass"))
    for _ in range(4)
]


class Kept(dict):
    """A store in memory."""

    def load(self, key):
        return self.get(key)

    def save(self, key, digests, vectors):
        self[key] = (list(digests), vectors)


def silent(share, note):
    assert 0 <= share <= 1


def photo(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize((96, 72)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("name", ["bag_of_words", "tfidf", "word2vec"])
def test_a_listing_without_text_has_no_vector(name):
    found = compute(name, [*TEXTS, Evidence("", ""), Evidence("zq")], Forgetful(), None, silent)
    rows = found.matrix.toarray() if sparse.issparse(found.matrix) else found.matrix
    assert rows.shape[0] == 34
    assert found.has.tolist() == [True] * 32 + [False, False]
    assert not rows[32:].any()
    assert found.seconds > 0


def test_vectors_of_the_very_same_catalogue_are_reused():
    store = Kept()
    first = compute("word2vec", TEXTS, store, None, silent)
    again = compute("word2vec", TEXTS, store, None, silent)
    assert (first.reused, again.reused) == (0, 32)
    np.testing.assert_array_equal(first.matrix, again.matrix)
    other = compute("word2vec", [*TEXTS, Evidence("green watch")], store, None, silent)
    assert other.reused == 0


def test_photos_are_described_once_and_reused_when_all_are_the_same(monkeypatch):
    monkeypatch.setattr(features, "CODEBOOK", 6)
    evidences = [Evidence("x", photo=photo(at) if at % 4 else None) for at in range(12)]
    evidences[5] = Evidence("x", photo=b"no photo at all")
    store = Kept()
    first = compute("fisher", evidences, store, None, silent)
    assert first.has.tolist() == [bool(at % 4) and at != 5 for at in range(12)]
    again = compute("fisher", evidences, store, None, silent)
    assert again.reused == first.has.sum() == 8
    np.testing.assert_array_equal(first.matrix, again.matrix)


def test_vectors_too_wide_to_be_held_keep_their_angles(monkeypatch):
    evidences = [Evidence("x", photo=photo(at)) for at in range(12)]
    whole = compute("fisher", evidences, Forgetful(), None, silent)
    kept = 1_000
    monkeypatch.setattr(features, "LARGEST", 4 * len(evidences) * kept)
    bounded = compute("fisher", evidences, Forgetful(), None, silent)
    assert bounded.matrix.shape == (12, kept)
    assert bounded.matrix.shape[1] < whole.matrix.shape[1]
    cosines = [unit @ unit.T for unit in (unit_rows(whole.matrix), unit_rows(bounded.matrix))]
    np.testing.assert_allclose(cosines[0], cosines[1], atol=0.15)


def test_no_photo_at_all_is_no_error():
    found = compute("fisher", TEXTS, Forgetful(), None, silent)
    assert not found.has.any()


def test_absent_weights_are_told():
    with pytest.raises(Unavailable, match="models add vgg16"):
        compute("vgg16", TEXTS, Forgetful(), None, silent)


class Constant:
    """A pretrained extractor that counts what it is asked."""

    version = 1
    asked = 0

    def __init__(self, weights=None):
        self.weights = weights

    def get_params(self, deep=True):
        return {"weights": self.weights}

    def fit(self, evidences):
        return self

    def transform(self, items):
        type(self).asked += len(items)
        return np.array([[len(item.name), 1.0] for item in items], np.float32)


def test_a_pretrained_extractor_is_asked_for_new_listings_only(monkeypatch):
    monkeypatch.setattr(extractor, "build_extractor", lambda name, weights: Constant(weights))
    store = Kept()
    compute("use", TEXTS[:20], store, "w", silent)
    Constant.asked = 0
    found = compute("use", TEXTS, store, "w", silent)
    assert (found.reused, Constant.asked) == (20, 12)
    np.testing.assert_array_equal(found.matrix[:, 0], [len(text.name) for text in TEXTS])
    assert compute("use", TEXTS, store, "other weights", silent).reused == 0

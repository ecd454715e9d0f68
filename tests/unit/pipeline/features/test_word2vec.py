from __future__ import annotations

import numpy as np

from pipeline.domain.listing import Evidence
from pipeline.features.word2vec import Word2Vec

PLACES = ("kitchen", "office", "garden", "school")
CATALOGUE = [
    *(
        Evidence(f"steel wristwatch {place}", f"analog wristwatch with dial, strap and {place} chronograph")
        for place in PLACES * 6
    ),
    *(
        Evidence(f"cotton curtain {place}", f"eyelet curtain with drape, fabric and {place} window")
        for place in PLACES * 6
    ),
]


def test_words_with_the_same_neighbours_are_close() -> None:
    extractor = Word2Vec(most_share=0.9, epochs=200).fit(CATALOGUE)
    rows = extractor.transform([Evidence("dial strap"), Evidence("analog wristwatch"), Evidence("drape fabric")])
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)


def test_the_same_listings_and_seed_give_the_same_vectors() -> None:
    first, second = (Word2Vec(most_share=0.9, seed=2).fit_transform(CATALOGUE) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, Word2Vec(most_share=0.9, seed=3).fit_transform(CATALOGUE))


def test_unknown_words_and_texts_without_any_give_zeros() -> None:
    extractor = Word2Vec().fit(CATALOGUE)
    assert not extractor.transform([Evidence("qqqq zzzz"), Evidence("")]).any()
    assert not Word2Vec().fit([Evidence("")]).transform([Evidence("mug")]).any()

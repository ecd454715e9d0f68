from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.domain.errors import BadArtefact
from pipeline.domain.listing import Evidence
from pipeline.features import term_counts, tfidf
from pipeline.features.tfidf import Tfidf

LISTINGS = [
    Evidence("Blue cotton curtain", "Buy Blue cotton curtain for Rs. 899 online", {"Material": "Cotton"}),
    Evidence("Red cotton curtain", "Buy Red cotton curtain for Rs. 599 online", {"Material": "Cotton"}),
    Evidence("Steel watch", "Specifications of Steel watch: dial, strap", {"Strap": "Steel"}),
    Evidence("Gold watch", "Specifications of Gold watch: dial, strap", {"Strap": "Leather"}),
]


def test_a_chunk_at_a_time_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Tfidf(as_typed=True).fit(LISTINGS)
    rows = whole.transform(LISTINGS).toarray()
    monkeypatch.setattr(tfidf, "_CHUNK_SIZE", 3)
    again = Tfidf(as_typed=True).fit(LISTINGS)
    assert again.terms_ == whole.terms_
    np.testing.assert_array_equal(again.transform(LISTINGS).toarray(), rows)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert again.transform([]).shape == (0, rows.shape[1])


def test_as_typed_keeps_cleaned_words_and_the_opening_of_a_description() -> None:
    typed = Tfidf(as_typed=True).fit(LISTINGS).terms_
    assert "specifications of" in typed["opening"]
    assert "buy" in typed["opening"]
    assert {"for rs", "material cotton"} <= set(typed["typed"])
    assert all(" " not in term for term in typed["words"])
    plain = Tfidf().fit(LISTINGS).terms_
    assert set(plain) == {"words", "name", "letters", "keys"}
    assert not any("specifications of" in term for term in plain["words"])


def test_saved_and_loaded_it_gives_the_same_and_another_version_is_refused() -> None:
    fitted = Tfidf(as_typed=True).fit(LISTINGS)
    again = Tfidf.from_state(fitted.state())
    assert again.as_typed
    np.testing.assert_array_equal(again.transform(LISTINGS).toarray(), fitted.transform(LISTINGS).toarray())
    with pytest.raises(BadArtefact):
        Tfidf.from_state({**fitted.state(), "version": 1})


def test_frequencies_stay_bounded_and_drop_only_terms_seen_once() -> None:
    frequencies = term_counts.DocumentFrequencies(max_terms=50)
    for start in range(0, 400, 10):
        frequencies.add([["often", f"once{number}"] for number in range(start, start + 10)])
    terms, found = frequencies.vocabulary(2, 1.0, 100)
    assert (terms, found) == (["often"], {"often": 400})
    assert len(frequencies._frequencies) <= 60


def test_rows_are_scaled_and_blocks_set_side_by_side_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    blocks = [sp.random(6, width, 0.4, "csr", np.float32, rng=rng) for width in (5, 1, 9)]
    blocks[0].data[:] -= 0.5
    for empty in (sp.csr_matrix((6, 3), dtype=np.float32), sp.csr_matrix((6, 0), dtype=np.float32)):
        joined = term_counts.stack_columns([*blocks, empty, blocks[0]])
        assert (joined != sp.hstack([*blocks, empty, blocks[0]]).tocsr()).nnz == 0
        assert joined.has_sorted_indices
        units = term_counts.unit_rows(joined).toarray()
        dense = joined.toarray()
        lengths = np.linalg.norm(dense, axis=1, keepdims=True)
        np.testing.assert_allclose(units, dense / np.where(lengths > 0, lengths, 1), rtol=1e-6)
    assert term_counts.stack_columns([sp.csr_matrix((0, 4), dtype=np.float32)] * 2).shape == (0, 8)
    assert term_counts.unit_rows(sp.csr_matrix((0, 4), dtype=np.float32)).shape == (0, 4)


def test_numbers_as_typed_are_terms_of_their_own_or_one_for_all() -> None:
    shirts = [Evidence("Shirt", f"fabric {number}, cut 40x{number}", {"size": f"{number}"}) for number in (1, 2, 1, 2)]
    each = Tfidf(as_typed=True).fit(shirts).terms_["typed"]
    together = Tfidf(as_typed=True, number_terms=False).fit(shirts).terms_["typed"]
    assert {"1", "2", "fabric 1", "40x1"} <= set(each)
    assert {"#", "fabric #", "40x1"} <= set(together)
    assert "fabric 1" not in together
    assert "size 1" in together, "numbers of attributes stay"


def test_a_state_of_before_the_setting_keeps_numbers_as_terms() -> None:
    state = Tfidf(as_typed=True).fit(LISTINGS).state()
    del state["settings"]["number_terms"]
    assert Tfidf.from_state(state).number_terms

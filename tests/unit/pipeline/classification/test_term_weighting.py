from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.classification import estimators
from pipeline.classification.calibration import Pool
from pipeline.classification.estimators import fit_ridge
from pipeline.classification.evidence_views import EvidenceFeatures, View
from pipeline.classification.modality_fitting import fit_modality
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.targets import Targets
from pipeline.classification.term_weighting import learn_term_weights, weight_terms
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import pack_state
from pipeline.features.term_counts import unit_rows
from pipeline.features.tfidf import Tfidf


def by_the_book(dense, labels, kinds, prior=2.0, gain=4.0):
    """1 + gain * (KL(categories of those with the term || categories of all) - bias) / log(kinds), term by term."""
    usual = np.bincount(labels, minlength=kinds) / len(labels)
    weights = []
    for column in dense.T:
        having = labels[column > 0]
        share = (np.bincount(having, minlength=kinds) + prior * usual) / (len(having) + prior)
        divergence = sum(p * np.log(p / q) for p, q in zip(share, usual, strict=True))
        bias = (len(set(having)) - 1) / (2 * len(having))
        weights.append(1 + gain * max(divergence - bias, 0) / np.log(kinds))
    return np.array(weights)


def noisy_terms(seed=0, count=120, kinds=3):
    """Listings of many terms that say nothing, and of two a category, of which each has one more often than not."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % kinds
    telling = np.zeros((count, 2 * kinds), np.float32)
    for row, label in enumerate(labels):
        telling[row, 2 * (label if rng.random() < 0.75 else rng.integers(kinds)) + rng.integers(2)] = 1
    chatter = (rng.random((count, 150)) < 0.15).astype(np.float32)
    rows = unit_rows(sp.csr_matrix(np.hstack([telling, chatter])))
    return rows, labels, rng.permutation(count) % 5


def test_a_term_weighs_as_much_as_its_categories_diverge_from_the_usual_ones():
    rows, labels, _ = noisy_terms(kinds=4)
    assert learn_term_weights(rows, labels, 4) == pytest.approx(by_the_book(rows.toarray(), labels, 4), rel=1e-5)


def test_a_term_of_one_category_outweighs_one_of_all_and_one_that_was_never_met_weighs_one():
    rows = sp.csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], np.float32))
    own, shared, unmet = learn_term_weights(rows, np.array([0, 0, 0, 1, 1, 1]), 2)
    assert own > 1.8
    assert (shared, unmet) == pytest.approx((1, 1))


def test_terms_that_tell_nothing_gain_little_however_rare_they_are_and_many_the_categories():
    rng = np.random.default_rng(0)
    rows = sp.csr_matrix((rng.random((300, 400)) < rng.uniform(0.01, 0.1, 400)).astype(np.float32))
    assert learn_term_weights(rows, rng.integers(7, size=300), 7).mean() < 1.1
    assert learn_term_weights(rows, rng.integers(60, size=300), 60).mean() < 1.65


def test_a_category_without_listings_changes_nothing():
    rows, labels, _ = noisy_terms()
    assert learn_term_weights(rows, labels, 9) == pytest.approx(learn_term_weights(rows, labels, 3))


def test_weighed_rows_are_unit_vectors_again_and_the_given_ones_stay_as_they_are():
    rows = sp.csr_matrix(np.array([[3, 4], [0, 0]], np.float32))
    weighed = weight_terms(rows, np.array([1, 3], np.float32))
    assert weighed.toarray() == pytest.approx(np.array([[3, 12], [0, 0]]) / np.hypot(3, 12))
    assert rows.toarray().tolist() == [[3, 4], [0, 0]]


def test_emphasis_finds_the_terms_that_tell_among_those_that_do_not():
    rows, labels, folds = noisy_terms()
    usual, emphatic = (
        fit_ridge(rows, labels, 3, folds, emphatic=each).held_out.argmax(axis=1) for each in (False, True)
    )
    assert (emphatic == labels).mean() > (usual == labels).mean() + 0.05


@pytest.mark.parametrize(("most", "choosing"), [(6_000, 1_500), (6_000, 60), (50, 60)])
def test_held_out_scores_know_nothing_of_the_labels_they_are_judged_by(monkeypatch, most, choosing):
    monkeypatch.setattr(estimators, "DUAL_LIMIT", most)
    monkeypatch.setattr(estimators, "CHOOSING", choosing)
    rows, labels, folds = noisy_terms()
    others = np.where(folds == 2, (labels + 1) % 3, labels)
    first, second = (fit_ridge(rows, each, 3, folds, (1.0,), emphatic=True).held_out for each in (labels, others))
    assert first[folds == 2] == pytest.approx(second[folds == 2], abs=1e-6)
    assert first[folds != 2] != pytest.approx(second[folds != 2], abs=1e-3)


def test_large_catalogues_are_judged_like_small_ones(monkeypatch):
    rows, labels, folds = noisy_terms()
    small = fit_ridge(rows, labels, 3, folds, emphatic=True)
    monkeypatch.setattr(estimators, "DUAL_LIMIT", 50)
    large = fit_ridge(rows, labels, 3, folds, emphatic=True)
    assert (large.estimator.emphasis == small.estimator.emphasis).all()
    assert large.held_out == pytest.approx(small.held_out, abs=0.1)


def text_part():
    rows, labels, folds = noisy_terms()
    extractor = Tfidf(least=1).fit([Evidence("cup"), Evidence("pan")])
    seen = EvidenceFeatures({View.WHOLE: {"tfidf": rows}}, {View.WHOLE: np.ones(len(labels), bool)})
    return fit_modality({"tfidf": extractor}, seen, Targets(labels, 3, folds), seed=0)[0], seen


def test_a_text_is_judged_by_both_estimators_as_the_pool_weighs_them():
    part, seen = text_part()
    rows = seen.vectors[View.WHOLE]["tfidf"]
    weighed = weight_terms(rows, part.emphatic[View.WHOLE].emphasis) @ part.emphatic[View.WHOLE].weights
    sources = [part.estimators[View.WHOLE].scores(rows), weighed + part.emphatic[View.WHOLE].intercept]
    assert part.probabilities(seen) == pytest.approx(part.pools["whole"].probabilities(sources), abs=1e-6)
    slopes = part.pools["whole"].slopes
    assert slopes[1] > slopes[0]


def files(state):
    return pack_state("text", state) | pack_state("extractor_tfidf", text_part()[0].extractors["tfidf"].state())


def test_a_saved_part_judges_as_before():
    part, seen = text_part()
    again = ModalityModel.from_files("text", ["tfidf"], files(part.state()))
    assert (again.probabilities(seen) == part.probabilities(seen)).all()


def test_a_part_of_an_earlier_program_has_one_estimator_a_view():
    part, seen = text_part()
    pools = {"whole": Pool(part.pools["whole"].slopes[:1], part.pools["whole"].bias)}
    earlier = ModalityModel.from_files("text", ["tfidf"], files(replace(part, emphatic={}, pools=pools).state()))
    scores = part.estimators[View.WHOLE].scores(seen.vectors[View.WHOLE]["tfidf"])
    assert not earlier.emphatic
    assert (earlier.probabilities(seen) == pools["whole"].probabilities([scores])).all()

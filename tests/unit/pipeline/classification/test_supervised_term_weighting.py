from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.classification import estimators
from pipeline.classification.calibration import Pool
from pipeline.classification.estimators import fit_ridge
from pipeline.classification.evidence_views import EvidenceCase, EvidenceFeatures, View
from pipeline.classification.modality_fitting import fit_modality
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.supervised_term_weighting import learn_term_weights, weight_terms
from pipeline.classification.targets import Targets
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import Matrix, State, pack_state
from pipeline.features.term_counts import unit_rows
from pipeline.features.tfidf import Tfidf


def by_the_book(dense: NDArray[Any], labels: NDArray[np.int64], n_categories: int) -> NDArray[np.float64]:
    """1 + gain * (KL(categories with the term || all categories) - bias) / log(n_categories), term by term."""
    prior, gain = 2.0, 4.0
    base_rates = np.bincount(labels, minlength=n_categories) / len(labels)
    weights = []
    for column in dense.T:
        having = labels[column > 0]
        share = (np.bincount(having, minlength=n_categories) + prior * base_rates) / (len(having) + prior)
        divergence = sum(p * np.log(p / q) for p, q in zip(share, base_rates, strict=True))
        bias = (len(set(having)) - 1) / (2 * len(having))
        weights.append(1 + gain * max(divergence - bias, 0) / np.log(n_categories))
    return np.array(weights)


def noisy_terms(n_categories: int = 3, count: int = 120) -> tuple[Matrix, Targets]:
    """Listings of many terms that say nothing, and of two a category, of which each has one more often than not."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % n_categories
    telling = np.zeros((count, 2 * n_categories), np.float32)
    for row, label in enumerate(labels):
        category = label if rng.random() < 0.75 else rng.integers(n_categories)
        telling[row, 2 * category + rng.integers(2)] = 1
    noise = (rng.random((count, 150)) < 0.15).astype(np.float32)
    rows = unit_rows(sp.csr_matrix(np.hstack([telling, noise])))
    return rows, Targets(labels, n_categories, rng.permutation(count) % 5)


def test_a_term_weighs_by_how_far_its_categories_diverge_from_the_base_rates() -> None:
    rows, targets = noisy_terms(4)
    expected = by_the_book(rows.toarray(), targets.labels, 4)
    assert learn_term_weights(rows, targets.labels, 4) == pytest.approx(expected, rel=1e-5)


def test_a_term_of_one_category_outweighs_one_of_all_and_an_unseen_one_weighs_one() -> None:
    rows = sp.csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], np.float32))
    own, shared, unseen = learn_term_weights(rows, np.array([0, 0, 0, 1, 1, 1]), 2)
    assert own > 1.8
    assert (shared, unseen) == pytest.approx((1, 1))


def test_uninformative_terms_gain_little_however_rare_they_are_and_many_the_categories() -> None:
    rng = np.random.default_rng(0)
    rows = sp.csr_matrix((rng.random((300, 400)) < rng.uniform(0.01, 0.1, 400)).astype(np.float32))
    assert learn_term_weights(rows, rng.integers(7, size=300), 7).mean() < 1.1
    assert learn_term_weights(rows, rng.integers(60, size=300), 60).mean() < 1.65


def test_a_category_without_listings_changes_nothing() -> None:
    rows, targets = noisy_terms()
    assert learn_term_weights(rows, targets.labels, 9) == pytest.approx(learn_term_weights(rows, targets.labels, 3))


def test_weighted_rows_are_unit_vectors_again_and_the_given_ones_stay_as_they_are() -> None:
    rows = sp.csr_matrix(np.array([[3, 4], [0, 0]], np.float32))
    weighted = weight_terms(rows, np.array([1, 3], np.float32))
    assert weighted.toarray() == pytest.approx(np.array([[3, 12], [0, 0]]) / np.hypot(3, 12))
    assert rows.toarray().tolist() == [[3, 4], [0, 0]]


def test_term_weighting_finds_the_informative_terms_among_the_others() -> None:
    rows, targets = noisy_terms()
    plain, weighted = (fit_ridge(rows, targets, term_weighting=each).held_out for each in (False, True))
    right = [float((each.argmax(axis=1) == targets.labels).mean()) for each in (plain, weighted)]
    assert right[1] > right[0] + 0.05


@pytest.mark.parametrize(("max_dual_rows", "penalty_sample"), [(6_000, 1_500), (6_000, 60), (50, 60)])
def test_held_out_scores_do_not_depend_on_the_labels_of_their_own_fold(
    monkeypatch: pytest.MonkeyPatch, max_dual_rows: int, penalty_sample: int
) -> None:
    monkeypatch.setattr(estimators, "MAX_DUAL_ROWS", max_dual_rows)
    monkeypatch.setattr(estimators, "PENALTY_SAMPLE", penalty_sample)
    rows, targets = noisy_terms()
    inside = targets.folds == 2
    changed = replace(targets, labels=np.where(inside, (targets.labels + 1) % 3, targets.labels))
    first, second = (fit_ridge(rows, each, (1.0,), term_weighting=True).held_out for each in (targets, changed))
    assert first[inside] == pytest.approx(second[inside], abs=1e-6)
    assert first[~inside] != pytest.approx(second[~inside], abs=1e-3)


def test_large_catalogues_get_the_same_term_weights_and_nearly_the_same_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, targets = noisy_terms()
    small = fit_ridge(rows, targets, term_weighting=True)
    monkeypatch.setattr(estimators, "MAX_DUAL_ROWS", 50)
    large = fit_ridge(rows, targets, term_weighting=True)
    assert large.estimator.term_weights is not None
    assert small.estimator.term_weights is not None
    assert np.array_equal(large.estimator.term_weights, small.estimator.term_weights)
    assert large.held_out == pytest.approx(small.held_out, abs=0.1)


def text_model() -> tuple[ModalityModel, EvidenceFeatures]:
    rows, targets = noisy_terms()
    extractor = Tfidf(least=1).fit([Evidence("cup"), Evidence("pan")])
    features = EvidenceFeatures({View.WHOLE: {"tfidf": rows}}, {View.WHOLE: np.ones(len(targets.labels), bool)})
    fitted = fit_modality({"tfidf": extractor}, features, targets).with_embeddings(features, seed=0)
    assert fitted.model is not None
    return fitted.model, features


def test_a_text_is_scored_by_both_estimators_as_the_pool_weighs_them() -> None:
    model, features = text_model()
    rows = features.whole_vectors["tfidf"]
    weighting = model.term_weighted[View.WHOLE]
    assert weighting.term_weights is not None
    weighted = weight_terms(rows, weighting.term_weights) @ weighting.weights + weighting.intercept
    pool = model.pools[EvidenceCase.WHOLE]
    expected = pool.probabilities([model.estimators[View.WHOLE].scores(rows), weighted])
    assert model.probabilities(features) == pytest.approx(expected, abs=1e-6)
    assert pool.slopes[1] > pool.slopes[0]


def files(model: ModalityModel, state: State) -> dict[str, bytes]:
    return pack_state("text", state) | pack_state("extractor_tfidf", model.extractors["tfidf"].state())


def test_a_saved_model_scores_as_before() -> None:
    model, features = text_model()
    again = ModalityModel.from_files("text", ["tfidf"], model.files("text"))
    assert (again.probabilities(features) == model.probabilities(features)).all()


def test_a_model_of_an_earlier_program_has_one_estimator_a_view() -> None:
    model, features = text_model()
    pool = model.pools[EvidenceCase.WHOLE]
    pools = {EvidenceCase.WHOLE: Pool(pool.slopes[:1], pool.bias)}
    state = replace(model, term_weighted={}, pools=pools).state()
    earlier = ModalityModel.from_files("text", ["tfidf"], files(model, state))
    scores = model.estimators[View.WHOLE].scores(features.whole_vectors["tfidf"])
    assert not earlier.term_weighted
    assert (earlier.probabilities(features) == pools[EvidenceCase.WHOLE].probabilities([scores])).all()

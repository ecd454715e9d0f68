"""The classes below the main level: estimators within each category, slopes, probabilities, saved state."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from pipeline.classification.lower_levels import ClassEstimator, LowerCase, LowerLevels, softmax_by_parent
from pipeline.classification.lower_levels_fitting import ClassFit, _fit_classes_of_extractor, fit_lower_levels
from pipeline.classification.targets import ClassTargets, Targets
from pipeline.features.extractor import Floats, pack_state, unpack_state

PARENTS = np.array([0, 0, 1, 1, 2])


def listings(n: int, seed: int = 0) -> tuple[Floats, Targets]:
    """Five classes in three categories, one direction each, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 5
    vectors = np.eye(5, 12)[labels] + 0.15 * rng.normal(size=(n, 12))
    classes = ClassTargets(labels, PARENTS)
    return vectors.astype(np.float32), Targets(PARENTS[labels], 3, rng.integers(0, 5, n), classes=classes)


def fitted(n: int = 200, *, sparse: bool = False) -> tuple[LowerLevels, ClassFit, ClassTargets]:
    vectors, targets = listings(n)
    assert targets.classes is not None
    usable = np.ones(n, bool)
    matrix = csr_matrix(vectors) if sparse else vectors
    fit = _fit_classes_of_extractor(matrix, usable, targets, targets.classes, (0.1, 1.0))
    class_fit = ClassFit({"x": fit.estimator}, [fit.held_out], usable)
    return fit_lower_levels(targets.classes, class_fit, None), class_fit, targets.classes


def test_classes_are_told_apart_within_their_category() -> None:
    lower, _, _ = fitted()
    vectors, targets = listings(100, seed=1)
    assert targets.classes is not None
    main = np.eye(3, dtype=np.float32)[targets.labels]
    probabilities = lower.class_probabilities(
        LowerCase.TEXT, main, [lower.estimators[LowerCase.TEXT]["x"].scores(vectors)]
    )
    assert (probabilities.argmax(axis=1) == targets.classes.labels).mean() > 0.95
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_the_probability_of_a_category_is_divided_among_its_classes() -> None:
    lower, fit, _ = fitted()
    main = np.random.default_rng(3).dirichlet(np.ones(3), 200).astype(np.float32)
    probabilities = lower.class_probabilities(LowerCase.TEXT, main, fit.held_out)
    sums = np.stack([probabilities[:, parent == PARENTS].sum(axis=1) for parent in range(3)], axis=1)
    np.testing.assert_allclose(sums, main, atol=1e-5)


def test_without_scores_the_classes_share_by_their_listings() -> None:
    labels = np.array([0, 0, 0, 1, 2, 3, 4])
    lower = fit_lower_levels(ClassTargets(labels, PARENTS), None, None)
    probabilities = lower.class_probabilities(LowerCase.TEXT, np.array([[0.8, 0.2, 0.0]], np.float32), [])
    np.testing.assert_allclose(probabilities, [[0.6, 0.2, 0.1, 0.1, 0.0]], atol=1e-6)


def test_sparse_and_dense_vectors_give_the_same_scores() -> None:
    vectors, _ = listings(50, seed=2)
    dense, _, _ = fitted()
    sparse, _, _ = fitted(sparse=True)
    one = dense.estimators[LowerCase.TEXT]["x"].scores(vectors)
    other = sparse.estimators[LowerCase.TEXT]["x"].scores(csr_matrix(vectors))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_held_out_scores_are_not_those_of_the_final_estimators() -> None:
    lower, fit, classes = fitted(60)
    vectors, _ = listings(60)
    final = lower.estimators[LowerCase.TEXT]["x"].scores(vectors)
    own = PARENTS[None, :] == PARENTS[classes.labels][:, None]
    several = np.bincount(PARENTS)[PARENTS][None, :] > 1
    assert (np.abs(final - fit.held_out[0])[own & several] > 0).all()
    np.testing.assert_allclose(final[~own], fit.held_out[0][~own], atol=1e-5)


def test_evidence_without_estimators_falls_back_to_the_other() -> None:
    lower, fit, _ = fitted()
    fused = np.full((4, 3), 1 / 3, np.float32)
    scores = [matrix[:4] for matrix in fit.held_out]
    has_text, has_image = np.array([True, False, True, False]), np.array([False, True, True, False])
    found = lower.fused_class_probabilities(fused, scores, [], has_text, has_image)
    by_text = lower.class_probabilities(LowerCase.TEXT, fused, scores)
    np.testing.assert_allclose(found[[0, 2]], by_text[[0, 2]], atol=1e-6)
    np.testing.assert_allclose(found[1], lower.priors / 3, atol=1e-6)
    assert not found[3].any()


def test_a_saved_state_gives_the_same_scores() -> None:
    vectors, _ = listings(20)
    for sparse in (False, True):
        lower, _, _ = fitted(sparse=sparse)
        again = LowerLevels.from_state(unpack_state("lower", pack_state("lower", lower.state())))
        matrix = csr_matrix(vectors) if sparse else vectors
        one, other = (each.estimators[LowerCase.TEXT]["x"].scores(matrix) for each in (lower, again))
        assert np.array_equal(one, other)
        assert np.array_equal(lower.conditional(LowerCase.TEXT, [one]), again.conditional(LowerCase.TEXT, [other]))


def test_the_softmax_is_within_each_parent() -> None:
    logits = np.array([[1.0, 800.0, 2.0, 2.0, -800.0]], np.float32)
    np.testing.assert_allclose(softmax_by_parent(logits, PARENTS), [[0, 1, 0.5, 0.5, 1]], atol=1e-6)
    shuffled = np.array([1, 0, 1, 0])
    np.testing.assert_allclose(softmax_by_parent(np.zeros((1, 4), np.float32), shuffled), [[0.5] * 4])


def test_weights_beyond_the_limit_are_dropped(monkeypatch: object) -> None:
    from pipeline.classification import lower_levels_fitting as module

    weights = csr_matrix(np.array([[3.0, -2.0], [0.5, 1.0]], np.float32))
    monkeypatch.setattr(module, "MAX_WEIGHTS", 2)  # type: ignore[attr-defined]
    kept = ClassEstimator(module._without_smallest(weights), np.zeros(2, np.float32))
    assert kept.scores(csr_matrix(np.ones((1, 2), np.float32))).tolist() == [[3.0, -2.0]]

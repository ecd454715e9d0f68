"""Ridge regression: both solvers, the choice of the penalty, and augmented rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from pipeline.classification import estimators
from pipeline.classification.estimators import AugmentedRows, fit_ridge
from pipeline.classification.ridge_solvers import solve_by_conjugate_gradient
from pipeline.classification.targets import Targets
from pipeline.features.extractor import Floats


def blobs(count: int = 150) -> tuple[Floats, Targets]:
    """Vectors around three centres."""
    labels = np.arange(count) % 3
    rows = np.random.default_rng(0).normal(0, 1, (count, 8)) + 2 * np.eye(3, 8)[labels]
    return rows.astype(np.float32), Targets(labels, 3, np.arange(count) % 5)


def right(scores: NDArray[np.floating], targets: Targets) -> float:
    return float((scores.argmax(axis=1) == targets.labels).mean())


@pytest.mark.parametrize("sparse", [False, True])
def test_the_dual_form_and_conjugate_gradients_agree(monkeypatch: pytest.MonkeyPatch, *, sparse: bool) -> None:
    rows, targets = blobs()
    vectors = sp.csr_matrix(rows) if sparse else rows
    dual = fit_ridge(vectors, targets)
    scores = dual.estimator.scores(vectors)
    assert right(dual.held_out, targets) > 0.85
    monkeypatch.setattr(estimators, "MAX_DUAL_ROWS", 10)
    shares: list[float] = []
    other = fit_ridge(vectors, targets, progress=lambda share, _note: shares.append(share))
    assert other.penalty == dual.penalty
    np.testing.assert_allclose(other.estimator.scores(vectors), scores, atol=0.01)
    np.testing.assert_allclose(other.held_out, dual.held_out, atol=0.03)
    assert len(shares) == 6
    assert shares == sorted(shares)


def test_rows_outside_the_training_mask_and_categories_without_listings_change_no_weights() -> None:
    rows, targets = blobs()
    train = np.arange(len(rows)) % 3 > 0
    indicators = np.where(targets.labels[:, None] == np.arange(4), 1.0, -1.0).astype(np.float32)
    indicators -= indicators[train].mean(0)
    found = solve_by_conjugate_gradient(sp.csr_matrix(rows), indicators, 0.5, train, 1e-6)
    reference = Ridge(alpha=0.5, fit_intercept=False).fit(rows[train], indicators[train])
    np.testing.assert_allclose(found, reference.coef_.T, atol=1e-4)
    assert not found[:, 3].any()


def test_the_estimator_is_ridge_regression() -> None:
    rows, targets = blobs()
    fitted = fit_ridge(rows, targets)
    indicators = np.where(targets.labels[:, None] == np.arange(3), 1.0, -1.0)
    reference = Ridge(alpha=fitted.penalty, fit_intercept=False).fit(rows, indicators - indicators.mean(0))
    np.testing.assert_allclose(fitted.estimator.weights, reference.coef_.T, atol=1e-4)


def test_augmented_rows_never_reach_the_held_out_scores_of_their_own_listing() -> None:
    """Noise whose augmented rows are exact copies: predictable only by a fit on the listing itself."""
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(200, 300)).astype(np.float32), rng.integers(0, 2, 200)
    targets = Targets(labels, 2, np.arange(200) % 5)
    found = fit_ridge(vectors, targets, augmented=AugmentedRows(vectors, np.arange(200)))
    assert found.held_out.shape == (200, 2)
    assert right(found.held_out, targets) < 0.65
    assert right(found.estimator.scores(vectors), targets) > 0.95


def test_augmented_rows_that_vary_as_the_held_out_photos_do_help() -> None:
    rng = np.random.default_rng(1)
    targets = Targets(np.arange(120) % 2, 2, np.arange(120) // 2 % 5)
    kind = np.where(targets.labels[:, None] == 0, 1.0, -1.0) * np.ones(4)
    vectors = np.concatenate([kind * 0.4 + rng.normal(0, 1, (120, 4)), rng.normal(0, 3, (120, 60))], axis=1)
    views = [np.concatenate([vectors[:, :4], rng.normal(0, 3, (120, 60))], axis=1) for _ in range(4)]
    augmented = AugmentedRows(np.concatenate(views).astype(np.float32), np.tile(np.arange(120), 4))
    plain = fit_ridge(vectors.astype(np.float32), targets)
    with_views = fit_ridge(vectors.astype(np.float32), targets, augmented=augmented)
    assert right(with_views.held_out, targets) > right(plain.held_out, targets) + 0.05

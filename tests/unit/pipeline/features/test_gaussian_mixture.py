from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from pipeline.features.extractor import Floats
from pipeline.features.fisher import fit_projection
from pipeline.features.gaussian_mixture import GaussianMixture, fit_mixture, improve_mixture

SAME = np.ones(2, np.float32)
TURNED = np.array([-1, 1], np.float32)


def two_clusters(rng: np.random.Generator) -> Floats:
    return np.concatenate([rng.normal(-4, 1, (500, 2)), rng.normal(4, 0.5, (500, 2))]).astype(np.float32)


def density(mixture: GaussianMixture, rows: Floats) -> NDArray[np.float64]:
    components = zip(mixture.weights, mixture.means, mixture.variances, strict=True)
    densities = [
        weight / 2 * multivariate_normal(mean * signs, np.diag(variance)).pdf(rows)
        for weight, mean, variance in components
        for signs in (1, mixture.signs)
    ]
    total: NDArray[np.float64] = np.sum(densities, axis=0)
    return total


@pytest.mark.parametrize("signs", [SAME, TURNED])
def test_the_mixture_finds_the_clusters_and_its_density_is_right(signs: Floats) -> None:
    rng = np.random.default_rng(0)
    rows = two_clusters(rng)
    mixture = fit_mixture(rows, 2, 20, signs, rng)
    np.testing.assert_allclose(np.sort(mixture.means[:, 1]), [-4, 4], atol=0.2)
    assert mixture.log_likelihood(rows) == pytest.approx(np.log(density(mixture, rows)).mean(), abs=1e-3)
    assert mixture.log_likelihood(rows * signs) == pytest.approx(mixture.log_likelihood(rows), abs=1e-4)


def test_rows_and_their_mirror_images_have_one_fisher_vector() -> None:
    rng = np.random.default_rng(1)
    rows = two_clusters(rng)
    mixture = fit_mixture(rows, 3, 10, TURNED, rng)
    some = rows[rng.permutation(len(rows))[:100]]
    np.testing.assert_allclose(mixture.fisher_vector(some), mixture.fisher_vector(some * TURNED), atol=1e-3)


def test_the_fisher_vector_is_the_gradient_and_vanishes_on_the_training_rows() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (4000, 3)).astype(np.float32)
    mixture = fit_mixture(rows, 4, 60, np.ones(3, np.float32), rng)
    assert np.abs(mixture.fisher_vector(rows)).max() < 0.05
    assert np.abs(mixture.fisher_vector(rows + 1)).max() > 0.2
    assert not mixture.fisher_vector(rows[:0]).any()


def test_improving_never_makes_rows_less_likely() -> None:
    rng = np.random.default_rng(2)
    rows = two_clusters(rng)
    start = fit_mixture(rows[:100], 4, 2, TURNED, rng)
    likelihoods = [improve_mixture(start, rows, rounds).log_likelihood(rows) for rounds in range(5)]
    assert likelihoods == sorted(likelihoods)
    assert likelihoods[4] > likelihoods[0]


def test_the_projection_whitens_and_gives_the_signs_of_the_mirror() -> None:
    rng = np.random.default_rng(2)
    mirror = np.array([1, 0, 2, 4, 3])
    rows = np.clip(rng.normal(size=(3000, 5)) @ rng.normal(size=(5, 5)) * 12 + 128, 0, 255).astype(np.uint8)
    projection = fit_projection(rows, 4, mirror)
    projected, turned = projection(rows), projection(rows[:, mirror])
    np.testing.assert_allclose(turned, projected * projection.signs, atol=1e-3)
    assert set(projection.signs) == {-1.0, 1.0}
    np.testing.assert_allclose(np.cov(np.concatenate([projected, turned]), rowvar=False), np.eye(4), atol=0.02)

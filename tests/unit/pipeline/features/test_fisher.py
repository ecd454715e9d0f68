import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pipeline.features.fisher import Fisher
from pipeline.features.mixture import fit_mixture, fit_projection
from pipeline.features.patches import COLUMNS, LAYOUT_ROWS, describe, layout, mirrored
from tests.unit.pipeline.features.test_catalogue import drawn


def points(photo, *settings):
    return describe(photo, *settings)[LAYOUT_ROWS:]


def test_flat_patches_are_left_out():
    assert points(np.full((80, 80, 3), 255, np.uint8), 192, (4, 8), 6).shape == (0, COLUMNS)
    half = np.full((192, 192, 3), 255, np.uint8)
    half[:, :96] = np.random.default_rng(0).integers(0, 255, (192, 96, 3))
    places = points(half, 192, (4,), 8)[:, -2]
    assert len(places) > 100
    assert places.max() < 160


def test_descriptors_of_the_mirror_image_are_those_of_a_mirrored_photo():
    photo = np.random.default_rng(3).integers(0, 255, (20, 20, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    ours = mirrored(points(photo, 160, (4,), 8)).astype(float)
    theirs = points(np.ascontiguousarray(photo[:, ::-1]), 160, (4,), 8).astype(float)
    key = lambda rows: np.lexsort((rows[:, -2] // 4, rows[:, -1]))  # noqa: E731
    assert np.abs(ours[key(ours)] - theirs[key(theirs)])[:, :224].mean() < 6


def test_descriptors_turn_with_the_gradient():
    stripes = np.tile((np.arange(96) // 6 % 2 * 255).astype(np.uint8), (96, 1))
    upright = np.repeat(stripes[:, :, None], 3, axis=2)
    lying = np.ascontiguousarray(upright.transpose(1, 0, 2))
    one = points(upright, 96, (4,), 8)[:, :128].reshape(-1, 16, 8).sum((0, 1)).astype(float)
    other = points(lying, 96, (4,), 8)[:, :128].reshape(-1, 16, 8).sum((0, 1)).astype(float)
    assert one[[0, 4]].sum() > 5 * one[[2, 6]].sum()
    assert other[[2, 6]].sum() > 5 * other[[0, 4]].sum()


def test_the_mixture_finds_the_clusters_and_its_density_is_right():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-4, 1, (500, 2)), rng.normal(4, 0.5, (500, 2))]).astype(np.float32)
    mixture = fit_mixture(rows, 2, 20, rng)
    np.testing.assert_allclose(np.sort(mixture.means[:, 0]), [-4, 4], atol=0.2)
    density = sum(
        weight * multivariate_normal(mean, np.diag(variance)).pdf(rows)
        for weight, mean, variance in zip(mixture.weights, mixture.means, mixture.variances, strict=True)
    )
    assert mixture.log_likelihood(rows) == pytest.approx(np.log(density).mean(), abs=1e-3)


def test_the_fisher_vector_vanishes_on_the_training_rows():
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (4000, 3)).astype(np.float32)
    mixture = fit_mixture(rows, 4, 60, rng)
    assert np.abs(mixture.fisher_vector(rows)).max() < 0.05
    assert np.abs(mixture.fisher_vector(rows + 1)).max() > 0.2


def test_the_projection_whitens():
    rng = np.random.default_rng(2)
    rows = (rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 4))).astype(np.float32)
    projected = fit_projection(rows, 3)(rows)
    np.testing.assert_allclose(np.cov(projected, rowvar=False), np.eye(3), atol=0.02)


def test_a_mirrored_photo_is_nearly_the_same_photo():
    photos = [drawn(seed) for seed in range(12)]
    rows = Fisher(components=8).fit(photos).transform([*photos, np.ascontiguousarray(photos[0][:, ::-1])])
    assert rows[0] @ rows[12] > max(rows[0] @ rows[other] for other in range(1, 12)) + 0.2


def test_steps_of_describing_give_the_same_as_the_whole():
    photos = [drawn(seed) for seed in range(6)]
    whole = Fisher(components=4).fit(photos)
    steps = Fisher(components=4)
    described = steps.describe(photos)
    np.testing.assert_array_equal(
        whole.transform(photos), steps.fit_described(described).transform_described(described)
    )


def test_photos_without_structure_differ_by_their_layout_only():
    blank = [np.full((50, 50, 3), tone, np.uint8) for tone in (255, 255, 90)]
    rows = Fisher(components=4).fit(blank).transform(blank)
    assert np.isfinite(rows).all()
    assert rows[0] @ rows[1] > 0.99 > rows[0] @ rows[2]


def test_the_layout_says_where_what_lies_and_the_proportions():
    photo = np.full((40, 80, 3), 255, np.uint8)
    photo[:, :40] = (255, 0, 0)
    whole = layout(photo)
    tones = whole[512:704].reshape(8, 8, 3)
    assert (tones[:, :4, 1] > 180).all()
    assert (np.abs(tones[:, 4:, 1].astype(int) - 128) < 3).all()
    assert whole[704] == 168
    edges = whole[:512].reshape(8, 8, 8).sum(axis=(0, 2))
    assert edges[[3, 4]].sum() > 5 * edges[[0, 1, 6, 7]].sum()

from __future__ import annotations

import numpy as np
import pytest

from pipeline.features import orientation_maps
from pipeline.features.dense_descriptors import (
    COLOUR,
    COLOUR_MIRROR,
    PLACE,
    SHAPE,
    SHAPE_MIRROR,
    PhotoDescriptors,
    describe_dense,
)
from pipeline.features.extractor import Photo


def blocks(seed: int, size: tuple[int, int] = (64, 64)) -> Photo:
    coarse = np.random.default_rng(seed).integers(0, 255, (size[0] // 8, size[1] // 8, 3), np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)


def test_flat_patches_are_left_out() -> None:
    flat = describe_dense(np.full((80, 80, 3), 255, np.uint8), 192, (2, 2))
    assert flat.shape.shape == (0, SHAPE + PLACE)
    assert flat.colour.shape == (0, COLOUR + PLACE)
    half = np.full((192, 192, 3), 255, np.uint8)
    half[:, :96] = np.random.default_rng(0).integers(0, 255, (192, 96, 3))
    places = describe_dense(half, 192, (2,)).shape[:, -PLACE]
    assert len(places) > 100
    assert places.max() < 160


@pytest.mark.parametrize("size", [(64, 64), (48, 64), (64, 56)])
def test_descriptors_of_the_mirror_image_are_those_of_a_mirrored_photo(size: tuple[int, int]) -> None:
    photo = blocks(3, size)
    plain, reflected = (describe_dense(each, 64, (1, 1)) for each in (photo, np.ascontiguousarray(photo[:, ::-1])))
    for one, other, mirror in (
        (plain.shape, reflected.shape, SHAPE_MIRROR),
        (plain.colour, reflected.colour, COLOUR_MIRROR),
    ):
        turned = np.concatenate([one[:, mirror], 255 - one[:, -2:-1], one[:, -1:]], axis=1).astype(float)
        assert len(one) == len(other) > 20
        differences = np.abs(turned[:, None] - other[None].astype(float)).mean(axis=2)
        assert np.median(differences.min(axis=1)) < 1


def test_descriptors_turn_with_the_gradient() -> None:
    stripes = np.tile((np.arange(96) // 6 % 2 * 255).astype(np.uint8), (96, 1))
    upright = np.repeat(stripes[:, :, None], 3, axis=2)
    lying = np.ascontiguousarray(upright.transpose(1, 0, 2))
    one, other = (
        describe_dense(each, 96, (2,)).shape[:, :SHAPE].reshape(-1, 16, 8).astype(float) ** 2
        for each in (upright, lying)
    )
    assert one[:, :, [0, 4]].sum() > 1e3 * one[:, :, [2, 6]].sum()
    assert other[:, :, [2, 6]].sum() > 1e3 * other[:, :, [0, 4]].sum()


def test_the_lattice_sums_triangles_of_rectified_derivatives() -> None:
    grey = np.random.default_rng(1).integers(0, 255, (24, 32)).astype(np.uint8)
    found = orientation_maps.orientations(grey)
    levels = grey.astype(float)
    dx, dy = np.zeros(grey.shape), np.zeros(grey.shape)
    dx[:, 1:-1], dy[1:-1] = (levels[:, 2:] - levels[:, :-2]) / 2, (levels[2:] - levels[:-2]) / 2
    rows, columns = (
        np.maximum(1 - np.abs(np.arange(n)[:, None] + 0.5 - (np.arange(n // 4) + 0.5) * 4) / 4, 0) / 4
        for n in grey.shape
    )
    rows = (rows[0::2] + rows[1::2]).repeat(2, 0) / 2  # rows in pairs
    rectified = [np.maximum(np.cos(angle) * dx + np.sin(angle) * dy, 0) for angle in np.arange(8) * np.pi / 4]
    summed = np.array([rows.T @ each @ columns for each in rectified])
    neighbours = np.roll(summed, 1, axis=0) + np.roll(summed, -1, axis=0)
    expected = np.maximum(summed - 0.3 * neighbours, 0).transpose(1, 2, 0)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_wider_triangles_are_sums_of_narrower_ones() -> None:
    point = np.zeros((17, 17, 1), np.float32)
    point[8, 8] = 1
    wide = orientation_maps.wider(orientation_maps.wider(point, 1), 2)[:, :, 0]
    triangle = np.maximum(1 - np.abs(np.arange(17) - 8) / 4, 0) / 4
    np.testing.assert_allclose(wide, np.outer(triangle, triangle), atol=1e-6)


def test_the_sums_of_patches_are_those_of_their_bins() -> None:
    field = np.random.default_rng(4).random((19, 23, 1), np.float32)
    for spread, step in ((1, 2), (2, 3)):
        chosen = tuple(orientation_maps.starts(length, spread, step) for length in field.shape[:2])
        sums = orientation_maps.patch_sums(field[:, :, 0], spread)[chosen]
        np.testing.assert_allclose(orientation_maps.patches(field, spread, step).sum(axis=(2, 3, 4)), sums, rtol=1e-5)


def test_packing_and_unpacking_keep_everything() -> None:
    found = describe_dense(blocks(5), 160, (2, 2))
    again = PhotoDescriptors.unpacked(found.packed())
    for name in ("shape", "colour", "edges", "tones", "proportions"):
        np.testing.assert_array_equal(getattr(found, name), getattr(again, name))


def test_the_layout_holds_tones_edges_and_proportions() -> None:
    photo = np.full((40, 80, 3), 255, np.uint8)
    photo[:, :40] = (255, 0, 0)
    found = describe_dense(photo, 128, (2,))
    assert (found.tones[:, :4, 1] > 180).all()
    assert (np.abs(found.tones[:, 4:, 1].astype(int) - 128) < 3).all()
    assert found.proportions == 168
    edges = found.edges.astype(float).sum(axis=(0, 2))
    assert edges[[3, 4]].sum() > 5 * edges[[0, 1, 6, 7]].sum()

"""Photos are drawn the same every time, and objects of different kinds look different."""

from __future__ import annotations

import io
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from infra.sample.categories import CATEGORIES, DRAWINGS
from infra.sample.drawing_pen import Pen, Pose, box, curve, ellipse, tint
from infra.sample.product_photo import SHOP_LOGO, DrawnPhoto

RED = (194, 58, 54)


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.float32)


def test_every_category_has_a_motif() -> None:
    assert {shelf.category for shelf in CATEGORIES} == set(DRAWINGS)


@pytest.mark.parametrize("subject", [*DRAWINGS, SHOP_LOGO])
def test_a_photo_repeats_and_varies_with_its_seed(subject: str) -> None:
    photo = DrawnPhoto(subject, RED, "one")
    assert photo.jpeg() == photo.jpeg()
    assert photo.jpeg() != DrawnPhoto(subject, RED, "two").jpeg()


@pytest.mark.parametrize("subject", list(DRAWINGS))
def test_an_object_fills_a_fair_part_of_the_photo(subject: str) -> None:
    for number in range(12):
        canvas = Image.new("RGB", (192, 192), (255, 0, 255))
        DRAWINGS[subject](Pen(canvas, Pose()), Random(number), RED)
        covered = float(np.mean(np.any(np.asarray(canvas) != (255, 0, 255), axis=2)))
        assert 0.04 < covered < 0.8


def test_the_colour_of_the_product_is_seen() -> None:
    red, blue = (pixels(DrawnPhoto("Home >> Curtains", colour, "one").jpeg()) for colour in (RED, (42, 82, 144)))
    assert (red[:, :, 0] - red[:, :, 2]).mean() > (blue[:, :, 0] - blue[:, :, 2]).mean() + 10


def test_a_pose_moves_scales_and_mirrors() -> None:
    def box_of(pose: Pose) -> tuple[int, int, int, int] | None:
        canvas = Image.new("RGB", (100, 100))
        Pen(canvas, pose).fill(box(0, -0.5, 1, 0.5), (255, 255, 255))
        return canvas.getbbox()

    assert box_of(Pose(0.5, 0.5, 0.4)) == (50, 30, 91, 71)
    assert box_of(Pose(0.5, 0.5, 0.4, mirrored=True)) == (10, 30, 51, 71)
    assert box_of(Pose(0.5, 0.5, 0.4, tilt=90)) == (30, 50, 71, 91)


def test_a_shaded_shape_runs_through_its_colours() -> None:
    canvas = Image.new("RGB", (100, 100))
    Pen(canvas, Pose(0.5, 0.5, 0.5)).shade(box(-1, -1, 1, 1), ((0, 0, 0), (255, 255, 255)))
    row = np.asarray(canvas)[50, :, 0]
    assert row[2] < 10
    assert row[-3] > 245


def test_a_shape_outside_the_canvas_is_left_out() -> None:
    canvas = Image.new("RGB", (50, 50))
    Pen(canvas, Pose(3.0, 3.0, 0.2)).shade(ellipse(0, 0, 1, 1), (RED, RED))
    assert canvas.getbbox() is None


def test_a_curve_passes_through_its_points() -> None:
    points = [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]
    assert set(points) <= set(curve(points))
    ImageDraw.Draw(Image.new("1", (4, 4))).polygon(curve(points, closed=True))


def test_tints_go_towards_white_and_black() -> None:
    assert tint((100, 100, 100), 1.0) == (255, 255, 255)
    assert tint((100, 100, 100), -1.0) == (0, 0, 0)
    assert tint((100, 100, 100), 0.0) == (100, 100, 100)

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.features.augmentation import PhotoTransform, apply_transform, draw_transform

PHOTO = np.random.default_rng(0).integers(60, 200, (40, 60, 3)).astype(np.uint8)
SAME = PhotoTransform(mirrored=False, rotation=0.0, zoom=1.0, shift=(0.0, 0.0), brightness=0.0, contrast=1.0)


def test_a_view_is_a_function_of_photo_seed_and_number() -> None:
    assert draw_transform(b"one", 0, 0) == draw_transform(b"one", 0, 0)
    changes = {
        draw_transform(b"one", 0, 0),
        draw_transform(b"one", 2, 0),
        draw_transform(b"one", 0, 1),
        draw_transform(b"two", 0, 0),
    }
    assert len(changes) == 4


def test_every_other_view_is_mirrored() -> None:
    assert [draw_transform(b"one", number, 0).mirrored for number in range(4)] == [True, False, True, False]


def test_changes_stay_within_their_limits() -> None:
    for number in range(200):
        transform = draw_transform(b"photo", number, 3)
        assert abs(transform.rotation) <= 8
        assert 0.95 <= transform.zoom <= 1.25
        assert max(map(abs, transform.shift)) <= 0.06
        assert abs(transform.brightness) <= 0.15
        assert 0.8 <= transform.contrast <= 1.2


def test_no_change_gives_the_photo_and_a_mirror_gives_its_mirror_image() -> None:
    assert np.array_equal(apply_transform(PHOTO, SAME), PHOTO)
    assert np.array_equal(apply_transform(PHOTO, replace(SAME, mirrored=True)), PHOTO[:, ::-1])


def test_light_and_contrast_change_the_pixels_by_their_formula() -> None:
    lighter = apply_transform(PHOTO, replace(SAME, brightness=0.1))
    assert abs(float(lighter.mean()) - float(PHOTO.mean()) - 25.5) < 1.0
    flatter = apply_transform(PHOTO, replace(SAME, contrast=0.8))
    assert abs(float(flatter.std()) / float(PHOTO.std()) - 0.8) < 0.01


def test_the_border_is_continued_outside_the_photo() -> None:
    white = np.full((30, 30, 3), 255, np.uint8)
    assert (apply_transform(white, replace(SAME, rotation=8.0, zoom=0.95, shift=(0.06, -0.06))) == 255).all()

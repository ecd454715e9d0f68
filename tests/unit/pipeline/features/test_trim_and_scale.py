from __future__ import annotations

import numpy as np
import pytest

from pipeline.features.extractor import Photo
from pipeline.features.trim_and_scale import trim_margin


def on_paper(tone: int = 255, place: tuple[int, int, int, int] = (30, 60, 50, 150)) -> Photo:
    photo = np.full((120, 200, 3), tone, np.uint8)
    top, bottom, left, right = place
    photo[top:bottom, left:right] = np.random.default_rng(0).integers(0, 200, (bottom - top, right - left, 3))
    return photo


@pytest.mark.parametrize("tone", [255, 230])
def test_the_margin_is_trimmed_but_for_a_little_air(tone: int) -> None:
    found = trim_margin(on_paper(tone))
    assert 36 <= found.shape[0] < 40
    assert 106 <= found.shape[1] < 110


def test_the_place_of_the_product_in_the_photo_makes_no_difference() -> None:
    one = trim_margin(on_paper(place=(30, 60, 50, 150)))
    other = trim_margin(on_paper(place=(70, 100, 20, 120)))
    np.testing.assert_array_equal(one, other)


def test_a_mirrored_photo_is_trimmed_alike() -> None:
    photo = on_paper(place=(30, 60, 20, 120))
    np.testing.assert_array_equal(trim_margin(np.ascontiguousarray(photo[:, ::-1])), trim_margin(photo)[:, ::-1])


@pytest.mark.parametrize(
    "photo",
    [
        np.full((1, 1, 3), 7, np.uint8),
        np.full((80, 50, 3), 200, np.uint8),
        np.random.default_rng(1).integers(0, 255, (60, 60, 3)).astype(np.uint8),
        on_paper(place=(30, 34, 50, 54)),
    ],
    ids=["one pixel", "flat", "a scene", "a speck"],
)
def test_photos_without_a_margin_stay_as_they_are(photo: Photo) -> None:
    assert trim_margin(photo) is photo

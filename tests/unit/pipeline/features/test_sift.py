from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from infra.catalogue_files.catalogue import open_catalogue
from infra.catalogue_files.photo_folder import PhotoFolder
from pipeline.features import photo_decoding, sift
from pipeline.features.extractor import Photo
from pipeline.features.sift import Sift
from tests.unit.pipeline.features.test_extractor import drawn

SCALES = ((128, 8), (64, 4))


def small(seed: int = 0) -> Sift:
    return Sift(grid_words=40, point_words=20, scales=SCALES, seed=seed)


def textured(shape: tuple[int, int], seed: int = 0) -> Photo:
    coarse = np.random.default_rng(seed).integers(0, 255, (shape[0] // 8, shape[1] // 8, 3), np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)


def test_descriptors_are_square_roots_of_shares() -> None:
    rows = sift.describe_root_sift(textured((128, 96)), SCALES)
    assert rows.dtype == np.uint8
    assert rows.shape[1] == sift.COLUMNS
    assert set(rows[:, sift.SOURCE_COLUMN]) == {0, 1, 2}
    length = np.linalg.norm(rows[:, : sift.DESCRIPTOR_WIDTH] / 512.0, axis=1)
    assert np.abs(length - 1).max() < 0.1


def test_flat_patches_are_left_out() -> None:
    half = np.full((128, 128, 3), 255, np.uint8)
    half[:, :64] = textured((128, 64))
    rows = sift.describe_root_sift(half, SCALES)
    assert len(rows) > 50
    assert rows[:, sift.X_COLUMN].max() < 190  # half a patch of the coarser scale may reach over the edge


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 1, 3), (90, 120, 3)])
def test_every_photo_has_words(shape: tuple[int, int, int]) -> None:
    extractor = small().fit([drawn(seed) for seed in range(6)])
    flat = np.full(shape, 200, np.uint8)
    assert len(extractor.describe([flat])[0])
    np.testing.assert_allclose(np.linalg.norm(extractor.transform([flat]), axis=1), 1.0, rtol=1e-5)


def test_photos_without_key_points_can_be_learned_from() -> None:
    flat = [np.full((60, 60, 3), tone, np.uint8) for tone in (20, 120, 250)]
    extractor = small().fit(flat)
    rows = Sift.from_state(extractor.state()).transform([*flat, drawn(0)])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)
    assert rows[0] @ rows[1] == pytest.approx(1.0, abs=1e-5)


def test_nothing_is_learned_from_no_photo() -> None:
    assert small().fit([]).transform([drawn(0)]).shape == (1, 0)


def test_steps_of_describing_give_the_same_as_the_whole() -> None:
    photos = [drawn(seed) for seed in range(6)]
    steps = small()
    descriptors = steps.describe(photos)
    found = steps.fit_descriptors(descriptors).transform_descriptors(descriptors)
    np.testing.assert_array_equal(small().fit_transform(photos), found)
    assert not np.array_equal(small(seed=1).fit(photos).transform(photos), found)


def test_words_are_counted_by_place() -> None:
    left, right = (np.full((128, 128, 3), 255, np.uint8) for _ in range(2))
    left[:, :48] = textured((128, 48))
    right[:, -48:] = textured((128, 48))
    extractor = small().fit([left, right])
    words = len(extractor.vocabularies_["grid"])
    rows = extractor.transform([left, right])
    whole, cells = rows[:, :words], rows[:, words : 21 * words]
    assert whole[0] @ whole[1] > 0.3 * np.prod(np.linalg.norm(whole, axis=1))
    assert cells[0] @ cells[1] < 0.1 * np.prod(np.linalg.norm(cells, axis=1))


def test_a_rare_word_weighs_more() -> None:
    extractor = small().fit([drawn(seed) for seed in range(8)])
    assert (extractor.rarities_["grid"] >= 1.0).all()
    assert extractor.rarities_["grid"].max() > extractor.rarities_["grid"].min()


@pytest.mark.shared
def test_real_photos_of_a_kind_are_neighbours(shared_data: Path) -> None:
    folder = PhotoFolder(shared_data / "flipkart" / "images")
    photos: list[Photo] = []
    kinds: list[str] = []
    for row in open_catalogue(shared_data / "flipkart" / "listings.csv"):
        if row.content is None or row.content.seller_category is None or row.image_file is None:
            continue
        path = folder.find(row.image_file)
        kind = row.content.seller_category.split(" >> ")[0]
        if path is not None and kinds.count(kind) < 20:
            photos.append(photo_decoding.decode_photo(path.read_bytes()))
            kinds.append(kind)
    rows = Sift(grid_words=200, point_words=100, scales=((128, 8), (64, 6))).fit_transform(photos)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -1.0)
    nearest = np.argsort(-similarity, axis=1)[:, :5]
    right = np.mean([[kinds[other] == kind for other in near] for kind, near in zip(kinds, nearest, strict=True)])
    assert right > 2.0 / len(Counter(kinds))

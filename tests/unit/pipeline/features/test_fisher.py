from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import Photo
from pipeline.features.fisher import Fisher
from tests.unit.pipeline.features.test_extractor import drawn


def mirrored(photo: Photo) -> Photo:
    return np.ascontiguousarray(photo[:, ::-1])


def test_a_mirrored_photo_is_nearly_the_same_photo() -> None:
    photos = [drawn(seed) for seed in range(12)]
    rows = Fisher(pairs=4).fit(photos).transform([*photos, mirrored(photos[0])])
    assert rows[0] @ rows[12] > 0.9
    assert rows[0] @ rows[12] > max(rows[0] @ rows[other] for other in range(1, 12)) + 0.2


def test_steps_of_describing_give_the_same_as_the_whole() -> None:
    photos = [drawn(seed) for seed in range(6)]
    whole = Fisher(pairs=4).fit(photos)
    steps = Fisher(pairs=4)
    descriptors = steps.describe(photos)
    np.testing.assert_array_equal(
        whole.transform(photos), steps.fit_descriptors(descriptors).transform_descriptors(descriptors)
    )


def test_photos_without_structure_differ_by_their_layout_only() -> None:
    blank = [np.full((50, 50, 3), tone, np.uint8) for tone in (255, 255, 90)]
    rows = Fisher(pairs=4).fit(blank).transform(blank)
    assert np.isfinite(rows).all()
    assert rows[0] @ rows[1] > 0.99 > rows[0] @ rows[2]


def test_the_vocabulary_is_small_and_of_this_version() -> None:
    state = Fisher().fit([drawn(seed) for seed in range(8)]).state()
    assert sum(value.nbytes for value in state.values() if isinstance(value, np.ndarray)) < 300_000
    with pytest.raises(BadArtefact, match="fisher version 2, expected fisher version 4; train a new model"):
        Fisher.from_state({**state, "version": 2})


def grainy(seed: int, size: int, wide: int) -> Photo:
    """A photo of grains ``size`` pixels high and ``wide`` times as wide."""
    coarse = np.random.default_rng(seed).integers(60, 200, (-(-128 // size), -(-128 // (size * wide)), 3), np.uint8)
    return np.ascontiguousarray(coarse.repeat(size, 0).repeat(size * wide, 1)[:128, :128])


def test_a_vocabulary_stays_while_photos_look_alike_and_adapts_when_they_do_not() -> None:
    photos = [grainy(seed, 12, 1) for seed in range(16)]
    fisher = Fisher(pairs=4).fit(photos[:8])
    before = fisher.transform(photos[:2])
    assert not fisher.refit(photos[8:]), "more of the same"
    assert not fisher.refit([np.full((60, 60, 3), 255, np.uint8)]), "nothing to learn from"
    np.testing.assert_array_equal(before, fisher.transform(photos[:2]))
    other = [grainy(seed, 3, 6) for seed in range(8)]
    assert fisher.refit(other)
    assert not np.allclose(before, fisher.transform(photos[:2]))
    assert not fisher.refit(other), "it is fitted to them by now"
    again = Fisher.from_state(fisher.state())
    np.testing.assert_array_equal(again.transform(other), fisher.transform(other))
    assert not again.refit(other)

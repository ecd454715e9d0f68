from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import log_probabilities, softmax
from pipeline.classification.fusion import Fusion, ModalityProbabilities, fit_fusion, fuse


def drawn(labels: NDArray[np.int64], sure: float, noise: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Probabilities that lean towards the labels."""
    logits = sure * np.eye(3)[labels] + rng.normal(0, noise, (len(labels), 3))
    return softmax(logits.astype(np.float32))


def test_fusion_beats_either_modality_and_falls_back_to_the_one_there_is() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    text, image = drawn(labels, 2, 1.3, rng), drawn(labels, 2, 1.3, rng)
    everywhere = np.ones(600, bool)
    both = ModalityProbabilities(text, image, everywhere, everywhere)
    fusion = fit_fusion(both, labels)
    fused = fuse(fusion, both)
    accuracy = [float((each.argmax(1) == labels).mean()) for each in (text, image, fused)]
    assert accuracy[2] > max(accuracy[:2]) + 0.03
    np.testing.assert_array_equal(fuse(fusion, ModalityProbabilities(text, image, everywhere, ~everywhere)), text)
    np.testing.assert_array_equal(fuse(fusion, ModalityProbabilities(text, image, ~everywhere, everywhere)), image)
    assert not fuse(fusion, ModalityProbabilities(text, image, ~everywhere, ~everywhere)).any()
    few = ModalityProbabilities(text[:5], image[:5], everywhere[:5], everywhere[:5])
    assert fit_fusion(few, labels[:5]) is None


def test_two_pools_are_averaged_and_the_product_of_an_earlier_program_answers_alone() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 900)
    text, image = drawn(labels, 1.5, 1, rng), drawn(labels, 1.5, 1, rng)
    everywhere = np.ones(900, bool)
    both = ModalityProbabilities(text, image, everywhere, everywhere)
    fusion = fit_fusion(both, labels)
    assert fusion is not None
    assert fusion.sum is not None
    assert 0 < fusion.share < 1
    multiplied = Fusion(fusion.product).probabilities(text, image)
    added = fusion.sum.probabilities([np.log((1 - fusion.share) * text + fusion.share * image)])
    fused = fuse(fusion, both)
    np.testing.assert_allclose(fused, (multiplied + added) / 2, atol=1e-6)
    assert not np.allclose(fused, multiplied, atol=1e-2)
    np.testing.assert_allclose(
        multiplied, fusion.product.probabilities([log_probabilities(text), log_probabilities(image)])
    )

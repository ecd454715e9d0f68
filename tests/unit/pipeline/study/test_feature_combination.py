"""Text and photo features together: which, and what the neighbours add."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.clustering.reduction import unit_rows
from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyPlan
from pipeline.features.extractor import Vectors
from pipeline.study import feature_combination
from pipeline.study.feature_combination import (
    FeatureCombination,
    average_with_neighbours,
    choose_combinations,
    combine_features,
)
from pipeline.study.features import Features
from pipeline.study.trials import run_trials
from tests.unit.pipeline.study.fake_steps import silent

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 40))
LABELS = np.repeat(np.arange(3), 30)
ROWS: Vectors = unit_rows((CENTRES[LABELS] + 1.5 * RNG.normal(size=(90, 40))).astype(np.float32))
PLAN = StudyPlan(seeds=(0, 1, 2), perplexity=10.0)


def features(name: str, modality: Modality, *, missing: int = 0, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    matrix = (rng.normal(size=(3, 40))[LABELS] + 0.2 * rng.normal(size=(90, 40))).astype(np.float32)
    present = np.arange(90) >= missing
    matrix[~present] = 0
    return Features(name, modality, matrix, present, 1.5, 1_000, 0)


def contrast(rows: Vectors) -> float:
    """How much more alike rows of one category are than rows of two."""
    cosines = rows @ rows.T
    same = LABELS[:, None] == LABELS[None, :]
    return float(cosines[same].mean() - cosines[~same].mean())


def test_listings_of_a_category_move_together() -> None:
    averages = average_with_neighbours(ROWS)
    assert averages.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(averages, axis=1), 1.0, rtol=1e-5)
    assert contrast(averages) > 1.5 * contrast(ROWS)


def test_the_average_is_the_weighted_mean_of_the_most_similar_rows() -> None:
    expected = []
    for row in ROWS @ ROWS.T:
        nearest = np.argsort(-row, kind="stable")[:6]
        expected.append((np.maximum(row[nearest], 0)[:, None] * ROWS[nearest]).sum(axis=0))
    np.testing.assert_allclose(average_with_neighbours(ROWS, 5), unit_rows(np.array(expected)), atol=1e-4)


def test_the_size_of_a_chunk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = average_with_neighbours(ROWS)
    monkeypatch.setattr(feature_combination, "_CHUNK", 7)
    np.testing.assert_allclose(average_with_neighbours(ROWS), whole, atol=1e-6)


def test_fewer_listings_than_neighbours_are_all_averaged() -> None:
    assert average_with_neighbours(ROWS[:4]).shape == (4, 40)
    np.testing.assert_allclose(average_with_neighbours(ROWS[:1]), ROWS[:1], atol=1e-6)


def test_text_and_photo_together_separate_what_neither_separates_alone() -> None:
    halves = [np.where(label == LABELS, 0, 1) for label in (0, 2)]
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(2, 40))
    text, image = (
        Features(
            name,
            modality,
            (centres[half] + 0.3 * rng.normal(size=(90, 40))).astype(np.float32),
            np.ones(90, bool),
            1.0,
            0,
            0,
        )
        for name, modality, half in (("tfidf", Modality.TEXT, halves[0]), ("fisher", Modality.IMAGE, halves[1]))
    )
    fused = combine_features(FeatureCombination((text,), image))
    assert (fused.extractor, fused.modality) == ("tfidf+fisher", Modality.FUSED)

    def ari(of: Features) -> float:
        return run_trials(of, LABELS, 3, PLAN, silent).result.trials[0].mean_ari

    assert ari(fused) > max(ari(text), ari(image))


def test_a_listing_with_one_modality_is_kept() -> None:
    text, image = features("word2vec", Modality.TEXT, missing=3), features("fisher", Modality.IMAGE, missing=2, seed=1)
    fused = combine_features(FeatureCombination((text,), image))
    assert fused.present.tolist() == [False] * 2 + [True] * 88
    assert not fused.matrix[:2].any()
    assert np.isfinite(fused.matrix).all()


def test_several_texts_share_the_weight_of_the_text() -> None:
    texts = features("use", Modality.TEXT), features("word2vec", Modality.TEXT, missing=5, seed=1)
    image = features("efficientnet", Modality.IMAGE, seed=2)
    fused = combine_features(FeatureCombination(texts, image))
    assert fused.extractor == "use+word2vec+efficientnet"
    assert fused.present.all()
    twice = combine_features(FeatureCombination((texts[0], texts[0]), image))
    once = combine_features(FeatureCombination((texts[0],), image))
    first, second = (rows.matrix @ rows.matrix.T for rows in (twice, once))
    assert not np.allclose(first, second, atol=1e-3), "half the weight twice is less than the whole weight once"


def test_combinations_are_chosen_by_name_not_by_result() -> None:
    texts = [features(name, Modality.TEXT) for name in ("bag_of_words", "word2vec")]
    images = [features(name, Modality.IMAGE) for name in ("sift", "fisher")]
    names = [combination.name for combination in choose_combinations([*texts, *images])]
    assert names == ["word2vec+fisher", "bag_of_words+fisher", "word2vec+bag_of_words+fisher"]
    assert choose_combinations(texts) == []
    few = [features("word2vec", Modality.TEXT, missing=70), features("fisher", Modality.IMAGE, missing=85)]
    assert choose_combinations(few) == []

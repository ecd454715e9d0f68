"""The report: levels of the taxonomy beside each other, hardest pairs, and what was not trained."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.study import StudyProtocol, TrialStatus
from pipeline.domain.study_report import ConfusionMatrix, Trial, TrialMap
from pipeline.study.build_report import compare_levels, hardest_pairs, untrained_figures
from pipeline.study.dataset import StudyDataset
from pipeline.study.study_steps import TrialResult
from tests.unit.pipeline.study.fake_steps import done_trial

PATHS = ["a >> a1", "a >> a2", "b >> b1", "b >> b2"]
CENTRES = np.array([[0, 0], [3, 0], [40, 0], [43, 0]])
TRIAL = done_trial("tfidf", Modality.TEXT, StudyProtocol.B)


def mapped(count: int = 25) -> tuple[list[str], dict[str, TrialMap]]:
    """Full categories of listings, and a map of them by one extractor."""
    labels = np.repeat(np.arange(4), count)
    points = CENTRES[labels] + np.random.default_rng(0).normal(0, 0.2, (4 * count, 2))
    trial_map = TrialMap(0, tuple(range(4 * count)), tuple(map(tuple, points.tolist())), tuple(labels.tolist()))
    return [PATHS[label] for label in labels], {"tfidf": trial_map}


def test_a_map_that_shows_both_levels_agrees_with_both() -> None:
    paths, maps = mapped()
    levels = compare_levels(paths, 1, maps, [TRIAL])
    assert [(each.level, each.categories, each.enough, each.studied) for each in levels] == [
        (1, 2, 1.0, True),
        (2, 4, 1.0, False),
    ]
    for level in levels:
        assert level.ari == {Modality.TEXT: pytest.approx(1.0), Modality.IMAGE: None, Modality.FUSED: None}


def test_small_categories_are_counted_and_a_single_level_needs_no_table() -> None:
    paths, maps = mapped(15)
    assert [each.enough for each in compare_levels(paths, 2, maps, [TRIAL])] == [1.0, 0.0]
    assert compare_levels([path[:1] for path in paths], 1, maps, [TRIAL]) == ()
    assert compare_levels([], 1, maps, [TRIAL]) == ()


def test_a_level_that_divides_nothing_is_left_out_and_without_trials_there_are_no_figures() -> None:
    paths, maps = mapped()
    levels = compare_levels([f"{path} >> all" for path in paths], 1, maps, [])
    assert [each.level for each in levels] == [1, 2]
    assert levels[0].ari == dict.fromkeys(Modality)


def test_the_hardest_pairs_are_those_the_best_extractor_confuses_most() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    texts = [Evidence("thing")] * 6
    dataset = StudyDataset(1, ("A", "B", "C"), labels, "", 6, list("abcdef"), [None] * 6, texts, texts)
    clusters = (0, 1, 1, 1, 2, 2)
    matrix = ConfusionMatrix(((1, 2, 0), (0, 1, 1), (0, 0, 1)), (1 / 3, 0.5, 1.0))
    trial_map = TrialMap(0, tuple(range(6)), ((0.0, 0.0),) * 6, clusters)
    pairs = hardest_pairs(dataset, {"tfidf": TrialResult((TRIAL,), trial_map, matrix)})
    assert [(pair.a, pair.b, pair.confused, pair.share) for pair in pairs] == [("A", "B", 2, 0.4), ("B", "C", 1, 1 / 3)]
    assert [(e.row, e.given, e.clustered_as) for e in pairs[0].examples] == [(1, "A", "B"), (2, "A", "B")]
    assert hardest_pairs(dataset, {"tfidf": TrialResult((TRIAL,))}) == ()


def test_an_extractor_that_could_not_be_tried_was_not_trained_for_the_same_reason() -> None:
    reason = Reason.other("no weights")
    trials = Trial.without_figures("vgg16", Modality.IMAGE, TrialStatus.UNAVAILABLE, reason)
    fused = Trial.without_figures("tfidf+vgg16", Modality.FUSED, TrialStatus.FAILED, reason)
    results = {"vgg16": TrialResult(trials), "tfidf": TrialResult((TRIAL,)), "tfidf+vgg16": TrialResult(fused)}
    (figures,) = untrained_figures(results)
    assert (figures.extractor, figures.modality, figures.evidence) == ("vgg16", Modality.IMAGE, ("photo",))
    assert (figures.status, figures.reason, figures.accuracy) == (TrialStatus.UNAVAILABLE, reason, None)

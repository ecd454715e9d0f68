"""The listings of a study: how they are drawn, and their fingerprint."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence
from pipeline.domain.study import StudyPlan
from pipeline.study.dataset import StudyDataset, dataset_fingerprint
from pipeline.study.sampling import draw_sample, stratified_sample

PATHS = ["A >> x"] * 60 + ["A >> y"] * 20 + ["B >> z"] * 15 + ["C"] * 4 + ["D"]


def test_a_category_of_one_listing_is_left_out() -> None:
    drawn = draw_sample(PATHS, StudyPlan())
    assert drawn.level == 1
    assert drawn.categories == ("A", "B", "C")
    assert len(drawn.indices) == 99
    assert Counter(drawn.labels.tolist()) == {0: 80, 1: 15, 2: 4}


def test_the_level_of_the_plan_is_taken() -> None:
    assert draw_sample(PATHS, StudyPlan(level=2)).categories == ("A >> x", "A >> y", "B >> z", "C")


@pytest.mark.parametrize("each", [30, 15])
def test_one_top_category_is_divided_where_it_can_be(each: int) -> None:
    assert draw_sample(["A >> x"] * each + ["A >> y"] * each, StudyPlan()).level == 2


def test_the_level_is_the_deepest_whose_categories_can_be_learned() -> None:
    paths = [f"top {n % 3} >> middle {n % 6} >> leaf {n % 60}" for n in range(600)]
    assert draw_sample(paths, StudyPlan()).level == 2
    assert draw_sample(paths * 2, StudyPlan()).level == 3


def test_a_sample_keeps_every_category_in_its_share() -> None:
    drawn = draw_sample(PATHS, StudyPlan(sample=40))
    counts = Counter(drawn.labels.tolist())
    assert len(drawn.indices) == 40
    assert counts[2] >= 2
    assert abs(counts[0] - 32) <= 2
    np.testing.assert_array_equal(drawn.indices, draw_sample(PATHS, StudyPlan(sample=40)).indices)
    assert np.all(np.diff(drawn.indices) > 0)


def test_too_many_categories_for_a_sample_serve_the_largest_first() -> None:
    labels = np.repeat(np.arange(50), np.arange(2, 52))
    chosen = stratified_sample(labels, 20)
    assert len(chosen) == 20
    assert labels[chosen].min() >= 40


@pytest.mark.parametrize(
    ("paths", "message"), [([], "no labelled"), (["A"] * 100, "two categories"), (["A", "A", "B", "B"], "at least 20")]
)
def test_too_little_to_study_is_refused(paths: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        draw_sample(paths, StudyPlan())


def test_the_fingerprint_depends_on_the_listings_not_on_their_order() -> None:
    keys, texts = ["a", "b"], [Evidence("lamp", "", {"x": "1", "y": "2"}), Evidence("mug")]
    first = dataset_fingerprint(keys, texts, ["ff", None], ["A", "B"])
    reordered = [Evidence("mug"), Evidence("lamp", "", {"y": "2", "x": "1"})]
    assert first == dataset_fingerprint(["b", "a"], reordered, [None, "ff"], ["B", "A"])
    for changed in (
        dataset_fingerprint(keys, texts, ["fe", None], ["A", "B"]),
        dataset_fingerprint(keys, texts, ["ff", None], ["A", "A"]),
        dataset_fingerprint(["a", "c"], texts, ["ff", None], ["A", "B"]),
    ):
        assert changed != first


def test_a_row_of_the_report_refers_to_its_attribution() -> None:
    dataset = StudyDataset(
        level=1,
        categories=("Teas",),
        labels=np.zeros(3, np.int64),
        fingerprint="f",
        n_labelled=3,
        keys=("a", "b", "c"),
        listing_ids=(1, 2, 3),
        text_evidences=[Evidence("tea")] * 3,
        evidences=[Evidence("tea")] * 3,
        attributions=("by B", None, "by A"),
    )
    assert dataset.distinct_attributions() == ("by B", "by A")
    assert [row.attribution for row in dataset.report_rows()] == [0, None, 1]
    unattributed = replace(dataset, attributions=())
    assert unattributed.distinct_attributions() == ()
    assert [row.attribution for row in unattributed.report_rows()] == [None] * 3

from collections import Counter

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence
from pipeline.domain.study import StudyPlan
from pipeline.study.sampling import draw, fingerprint, stratified

PATHS = ["A >> x"] * 60 + ["A >> y"] * 20 + ["B >> z"] * 15 + ["C"] * 4 + ["D"]


def test_a_category_of_one_listing_is_left_out():
    drawn = draw(PATHS, StudyPlan())
    assert drawn.level == 1
    assert drawn.categories == ("A", "B", "C")
    assert len(drawn.chosen) == 99
    assert Counter(drawn.labels.tolist()) == {0: 80, 1: 15, 2: 4}


def test_the_level_of_the_plan_is_taken():
    assert draw(PATHS, StudyPlan(level=2)).categories == ("A >> x", "A >> y", "B >> z", "C")


@pytest.mark.parametrize("each", [30, 15])
def test_one_top_category_is_divided_where_it_can_be(each):
    assert draw(["A >> x"] * each + ["A >> y"] * each, StudyPlan()).level == 2


def test_the_level_is_the_deepest_whose_categories_can_be_learned():
    paths = [f"top {at % 3} >> middle {at % 6} >> leaf {at % 60}" for at in range(600)]
    assert draw(paths, StudyPlan()).level == 2
    assert draw(paths * 2, StudyPlan()).level == 3


def test_a_sample_keeps_every_category_in_its_share():
    drawn = draw(PATHS, StudyPlan(sample=40))
    counts = Counter(drawn.labels.tolist())
    assert len(drawn.chosen) == 40
    assert counts[2] >= 2
    assert abs(counts[0] - 32) <= 2
    np.testing.assert_array_equal(drawn.chosen, draw(PATHS, StudyPlan(sample=40)).chosen)
    assert np.all(np.diff(drawn.chosen) > 0)


def test_too_many_categories_for_a_sample_serve_the_largest_first():
    labels = np.repeat(np.arange(50), np.arange(2, 52))
    chosen = stratified(labels, 20)
    assert len(chosen) == 20
    assert labels[chosen].min() >= 40


@pytest.mark.parametrize(
    ("paths", "told"), [([], "no labelled"), (["A"] * 100, "two categories"), (["A", "A", "B", "B"], "at least 20")]
)
def test_too_little_is_told(paths, told):
    with pytest.raises(InvalidInput, match=told):
        draw(paths, StudyPlan())


def test_a_fingerprint_tells_listings_from_others_whatever_their_order():
    keys, texts = ["a", "b"], [Evidence("lamp", "", {"x": "1", "y": "2"}), Evidence("mug")]
    first = fingerprint(keys, texts, ["ff", None], ["A", "B"])
    turned = [Evidence("mug"), Evidence("lamp", "", {"y": "2", "x": "1"})]
    assert first == fingerprint(["b", "a"], turned, [None, "ff"], ["B", "A"])
    for changed in (
        fingerprint(keys, texts, ["fe", None], ["A", "B"]),
        fingerprint(keys, texts, ["ff", None], ["A", "A"]),
        fingerprint(["a", "c"], texts, ["ff", None], ["A", "B"]),
    ):
        assert changed != first

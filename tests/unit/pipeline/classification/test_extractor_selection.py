from __future__ import annotations

import pytest

from pipeline.classification.extractor_selection import SetResult, candidate_sets, choose_set, compare_sets
from pipeline.classification.metrics import Interval
from pipeline.domain.errors import InvalidInput
from pipeline.domain.training import TrainingOptions
from tests.unit.pipeline.classification.catalogues import catalogue


def result(name: str, accuracy: float, milliseconds: float) -> SetResult:
    return SetResult((name,), Interval(mean=accuracy, low=accuracy, high=accuracy), 10, milliseconds, 1)


QUICK, MIDDLE, SLOW, WASTEFUL = (
    result("quick", 0.7, 5.0),
    result("middle", 0.8, 10.0),
    result("slow", 0.9, 50.0),
    result("wasteful", 0.9, 90.0),
)


@pytest.mark.parametrize(
    ("wish", "expected"), [("fastest", QUICK), ("best", SLOW), ("10", MIDDLE), ("49.9", MIDDLE), ("1000", SLOW)]
)
def test_a_set_is_chosen_by_accuracy_speed_or_budget(wish: str, expected: SetResult) -> None:
    assert choose_set([WASTEFUL, SLOW, QUICK, MIDDLE], wish) is expected


@pytest.mark.parametrize("wish", ["cheapest", "0", "-3", "nan", "inf", ""])
def test_another_wish_is_refused(wish: str) -> None:
    with pytest.raises(InvalidInput, match=r"fastest, best, or a number"):
        choose_set([QUICK], wish)


def test_a_budget_below_every_set_names_the_fastest() -> None:
    with pytest.raises(InvalidInput, match=r"at most 2 ms .* the fastest, quick, takes 5\.0"):
        choose_set([QUICK, SLOW], "2")


def test_the_candidate_sets_are_those_whose_weights_are_installed() -> None:
    assert candidate_sets([]) == [("fisher",)]
    assert candidate_sets(["squeezenet"]) == [("fisher",), ("squeezenet",), ("fisher", "squeezenet")]
    assert ("fisher", "efficientnet") in candidate_sets(["efficientnet", "vgg16"])
    assert candidate_sets(["vgg16", "squeezenet"])[-1] == ("fisher", "vgg16", "squeezenet")


def test_sets_are_scored_on_photos_they_were_not_fitted_on_and_timed() -> None:
    (found,) = compare_sets(catalogue(texts=False), [("fisher",)], TrainingOptions(level=2), folds=2)
    assert (found.extractors, found.n) == (("fisher",), 42)
    assert found.accuracy.mean > 0.9
    assert found.milliseconds > 0
    assert found.size > 10_000


def test_without_photos_nothing_can_be_compared() -> None:
    with pytest.raises(InvalidInput, match="too few listings have a photo"):
        compare_sets(catalogue(photos=False), [("fisher",)], TrainingOptions(level=2))

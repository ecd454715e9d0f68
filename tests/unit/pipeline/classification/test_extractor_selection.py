import pytest

from pipeline.classification.extractor_selection import SetResult, candidate_sets, choose_set, compare_sets
from pipeline.classification.metrics import Interval
from pipeline.domain.errors import InvalidInput
from pipeline.steps.train import best_for_photos, default_extractors
from tests.unit.pipeline.classification.catalogues import catalogue


def tried(name, accuracy, milliseconds):
    return SetResult((name,), Interval(mean=accuracy, low=accuracy, high=accuracy), 10, milliseconds, 1)


QUICK, MIDDLE, SLOW, WASTEFUL = (
    tried("quick", 0.7, 5.0),
    tried("middle", 0.8, 10.0),
    tried("slow", 0.9, 50.0),
    tried("wasteful", 0.9, 90.0),
)


@pytest.mark.parametrize(
    ("wish", "expected"), [("fastest", QUICK), ("best", SLOW), ("10", MIDDLE), ("49.9", MIDDLE), ("1000", SLOW)]
)
def test_a_set_is_chosen_by_accuracy_speed_or_budget(wish, expected):
    assert choose_set([WASTEFUL, SLOW, QUICK, MIDDLE], wish) is expected


@pytest.mark.parametrize("wish", ["cheapest", "0", "-3", "nan", "inf", ""])
def test_another_wish_is_refused(wish):
    with pytest.raises(InvalidInput, match=r"fastest, best, or a number"):
        choose_set([QUICK], wish)


def test_a_budget_that_nothing_fits_in_names_the_fastest():
    with pytest.raises(InvalidInput, match=r"at most 2 ms .* the fastest, quick, takes 5\.0"):
        choose_set([QUICK, SLOW], "2")


def test_the_sensible_sets_are_those_whose_weights_are_there():
    assert candidate_sets([]) == [("fisher",)]
    assert candidate_sets(["squeezenet"]) == [("fisher",), ("squeezenet",), ("fisher", "squeezenet")]
    assert candidate_sets(["vgg16", "squeezenet"])[-1] == ("fisher", "vgg16", "squeezenet")


def test_sets_are_judged_on_photos_they_have_not_seen_and_timed():
    (found,) = compare_sets(catalogue(texts=False), [("fisher",)], level=2, folds=2)
    assert (found.extractors, found.n) == (("fisher",), 42)
    assert found.accuracy["mean"] > 0.9
    assert found.milliseconds > 0
    assert found.size > 10_000


def test_without_photos_nothing_can_be_compared():
    with pytest.raises(InvalidInput, match="too few listings have a photo"):
        compare_sets(catalogue(photos=False), [("fisher",)], level=2)


REPORT = {
    "supervised": [
        {"extractor": "tfidf", "modality": "text", "accuracy": {"mean": 0.97}},
        {"extractor": "sift", "modality": "image", "accuracy": {"mean": 0.6}},
        {"extractor": "squeezenet", "modality": "image", "accuracy": {"mean": 0.82}},
        {"extractor": "vgg16", "modality": "image", "accuracy": None},
    ],
    "trials": [
        {"extractor": "sift", "modality": "image", "protocol": "B", "ari": {"mean": 0.5}},
        {"extractor": "fisher", "modality": "image", "protocol": "B", "ari": {"mean": 0.4}},
        {"extractor": "vgg16", "modality": "image", "protocol": "B", "ari": None},
        {"extractor": "squeezenet", "modality": "image", "protocol": "A", "ari": {"mean": 0.9}},
    ],
}


def test_a_study_names_the_best_for_photos_by_accuracy_else_by_agreement():
    assert best_for_photos(REPORT) == ["squeezenet", "sift"]
    assert best_for_photos({**REPORT, "supervised": []}) == ["sift", "fisher"]
    assert best_for_photos({}) == []


def test_the_best_whose_weights_are_here_is_the_usual_one_beside_networks_no_study_has_judged(tmp_path):
    from pipeline.domain.errors import Unavailable

    def here(name):
        return tmp_path / name

    def nowhere(name):
        raise Unavailable(f"no weights of {name}")

    judged = [*REPORT["supervised"][:3], {"extractor": "vgg16", "modality": "image", "accuracy": {"mean": 0.7}}]
    assert default_extractors({**REPORT, "supervised": judged}, here) == ("squeezenet",)
    assert default_extractors(REPORT, here) == ("squeezenet", "vgg16")
    assert default_extractors(REPORT, nowhere) == ("sift",)
    assert default_extractors(None, here) == ("fisher", "vgg16", "squeezenet")
    assert default_extractors(None, nowhere) == ("fisher",)

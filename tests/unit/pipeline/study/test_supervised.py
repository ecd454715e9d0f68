import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.study import StudyPlan, TrialStatus
from pipeline.study import learning_curve, supervised, supervised_jobs
from pipeline.study.bootstrap import accuracy_and_f1
from pipeline.study.dataset import StudyDataset
from pipeline.study.study_steps import SupervisedResult
from tests.unit.pipeline.classification.catalogues import KINDS, catalogue

ROW = {"extractor", "modality", "evidence", "accuracy", "macro_f1", "n", "folds", "repeats", "seconds", "status"}


@pytest.mark.parametrize(
    ("text", "images", "modality", "evidence"),
    [
        ("tfidf", (), "text", ["name", "description", "attributes"]),
        (None, ("fisher",), "image", ["photo"]),
        ("tfidf", ("fisher",), "fused", ["name", "description", "attributes", "photo"]),
    ],
)
def test_a_row_says_how_well_which_evidence_does(text, images, modality, evidence):
    examples = catalogue(8)
    found = supervised.score(examples, text_extractor=text, image_extractors=images, level=2, folds=3, repeats=2)
    row = found.row
    assert set(row) == {*ROW, "reason"}
    assert (row["modality"], row["evidence"], row["n"], row["status"]) == (modality, evidence, 24, "done")
    assert row["extractor"] == "+".join([*([text] if text else []), *images])
    for figure in ("accuracy", "macro_f1"):
        assert 0.8 < row[figure]["low"] <= row[figure]["mean"] <= row[figure]["high"] <= 1
    assert found.probabilities.shape == (24, len(KINDS))
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-3)
    json.dumps(row)


def test_what_a_listing_lacks_counts_against_the_fused_answer_only():
    examples = catalogue(8)
    examples[0] = replace(examples[0], evidence=replace(examples[0].evidence, name="", description=""))
    examples[1] = replace(examples[1], evidence=replace(examples[1].evidence, photo=None))
    bare = replace(examples[2].evidence, name="", description="", photo=None)
    examples[2] = replace(examples[2], evidence=bare)
    alone = supervised.score(examples, text_extractor="tfidf", level=2, folds=3, repeats=1)
    both = supervised.score(examples, text_extractor="tfidf", image_extractors=("fisher",), level=2, folds=3, repeats=1)
    assert (alone.row["n"], both.row["n"]) == (22, 24)
    assert not both.probabilities[2].any()
    assert both.probabilities[0].any()
    assert both.row["accuracy"]["mean"] <= 23 / 24


def test_without_attributes_nobody_sees_them():
    examples = catalogue(8)
    told = [
        replace(each, evidence=replace(each.evidence, name="thing", description="", attributes={"kind": each.category}))
        for each in examples
    ]
    blind = supervised.score(told, text_extractor="tfidf", attributes=False, level=2, folds=3, repeats=1)
    seeing = supervised.score(told, text_extractor="tfidf", level=2, folds=3, repeats=1)
    assert blind.row["evidence"] == ["name", "description"]
    assert seeing.row["accuracy"]["mean"] > 0.9 > blind.row["accuracy"]["mean"]


def test_too_little_or_nothing_to_judge_is_said():
    with pytest.raises(InvalidInput, match="too few"):
        supervised.score(catalogue(1), text_extractor="tfidf", level=2, folds=5)
    with pytest.raises(InvalidInput):
        supervised.score(catalogue(8, photos=False), text_extractor=None, image_extractors=("fisher",), level=2)


def test_more_listings_than_wanted_are_sampled(monkeypatch):
    monkeypatch.setattr(supervised, "MOST", 30)
    found = supervised.score(catalogue(20), text_extractor="tfidf", level=2, folds=3, repeats=1)
    assert found.row["n"] == 30
    assert (found.probabilities.sum(axis=1) > 0).sum() == 30


def test_the_interval_holds_the_mean_and_a_missing_answer_is_wrong():
    labels = np.arange(200) % 4
    predicted = np.stack([labels, np.where(np.arange(200) < 40, -1, labels)])
    accuracy, macro_f1 = accuracy_and_f1(labels, predicted, 4)
    assert accuracy.mean == pytest.approx(0.9)
    assert accuracy.std == pytest.approx(0.1)
    assert 0.85 < accuracy.low < 0.9 < accuracy.high < 0.95
    assert macro_f1.low < macro_f1.mean < macro_f1.high


def test_the_learning_curve_rises_and_ends_with_all_there_is():
    rows = learning_curve.curve(catalogue(30), level=2, repeats=1)
    by_modality = {
        modality: [(row["per_category"], row["accuracy"]["mean"]) for row in rows if row["modality"] == modality]
        for modality in ("text", "image", "fused")
    }
    for points in by_modality.values():
        assert [size for size, _ in points] == [5, 10, 20, 24]
        assert points[-1][1] >= points[0][1] - 0.05
        assert points[-1][1] > 0.9
    json.dumps(rows)


def test_the_learning_curve_does_with_one_side():
    rows = learning_curve.curve(catalogue(10, photos=False), level=2, repeats=1)
    assert {row["modality"] for row in rows} == {"text"}


def test_the_jobs_are_one_an_extractor_the_fused_ones_and_the_curve():
    assert supervised_jobs.jobs(["bag_of_words", "tfidf", "fisher", "squeezenet"]) == [
        "bag_of_words",
        "tfidf",
        "fisher",
        "squeezenet",
        "tfidf+fisher",
        "tfidf+squeezenet",
        "learning_curve+tfidf+fisher",
    ]
    assert supervised_jobs.jobs(["fisher"]) == ["fisher", "learning_curve+fisher"]
    assert supervised_jobs.jobs([]) == []


class Course:
    """What the jobs ask of a study's course; photos are read from it one by one."""

    def __init__(self, examples):
        categories = sorted({example.category for example in examples})
        evidences = [example.evidence for example in examples]
        self.plan = StudyPlan(folds=3, repeats=1)
        self.studied = StudyDataset(
            level=2,
            categories=tuple(categories),
            labels=np.array([categories.index(example.category) for example in examples]),
            fingerprint="",
            listings=len(examples),
            keys=[example.key for example in examples],
            listing_ids=[None] * len(examples),
            texts=[replace(evidence, photo=None) for evidence in evidences],
            photos=evidences,
        )

    def weights(self, name):
        return None


def test_a_job_on_the_listings_of_a_study_equals_the_row_of_its_examples():
    examples = catalogue(8)
    found = supervised_jobs.judge(Course(examples), "tfidf+fisher", lambda share, note: None)
    direct = supervised.score(
        examples, text_extractor="tfidf", image_extractors=["fisher"], level=2, folds=3, repeats=1
    )
    assert isinstance(found, SupervisedResult)
    assert {**found.rows[0], "seconds": 0} == {**direct.row, "seconds": 0}
    np.testing.assert_array_equal(found.probabilities, direct.probabilities)


def test_text_with_attributes_gives_two_rows_and_the_curve_none():
    examples = [
        replace(each, evidence=replace(each.evidence, attributes={"colour": "red"}, photo=None))
        for each in catalogue(8, photos=False)
    ]
    found = supervised_jobs.judge(Course(examples), "tfidf", lambda share, note: None)
    assert [row["evidence"] for row in found.rows] == [
        ["name", "description"],
        ["name", "description", "attributes"],
    ]
    curve = supervised_jobs.judge(Course(examples), "learning_curve+tfidf", lambda share, note: None)
    assert curve.rows == []
    assert {row["per_category"] for row in curve.curve} == {5}


def test_what_lacks_its_weights_says_so():
    with pytest.raises(Unavailable, match="squeezenet"):
        supervised_jobs.judge(Course(catalogue(8)), "squeezenet", lambda share, note: None)
    (row,) = supervised_jobs.unjudged("tfidf+squeezenet", TrialStatus.UNAVAILABLE, "no weights").rows
    assert set(row) == {*ROW, "reason"}
    assert (row["modality"], row["accuracy"], row["status"]) == ("fused", None, "unavailable")
    assert supervised_jobs.unjudged("learning_curve+tfidf", TrialStatus.FAILED, "no").rows == []

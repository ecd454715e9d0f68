"""Supervised figures: what was judged, on which evidence, and the jobs that compute them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.listing import Example
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.study import StudyPlan, TrialStatus
from pipeline.features.photo_hash import perceptual_hash
from pipeline.study import supervised_scores
from pipeline.study.dataset import StudyDataset
from pipeline.study.learning_curve import learning_curve
from pipeline.study.study_steps import SupervisedResult
from pipeline.study.supervised_jobs import failed_supervised_job, run_supervised_job, supervised_jobs
from pipeline.study.supervised_scores import SupervisedSetup, bootstrap_scores, score_supervised
from tests.unit.pipeline.classification.catalogues import KINDS, catalogue
from tests.unit.pipeline.study.fake_steps import silent

TEXT = SupervisedSetup(level=2, text_extractor="tfidf", folds=3, repeats=1)
BOTH = replace(TEXT, image_extractors=("fisher",))
PLAN = StudyPlan(folds=3, repeats=1)


@pytest.mark.parametrize(
    ("text", "images", "modality", "evidence"),
    [
        ("tfidf", (), "text", ("name", "description", "attributes")),
        (None, ("fisher",), "image", ("photo",)),
        ("tfidf", ("fisher",), "fused", ("name", "description", "attributes", "photo")),
    ],
)
def test_figures_say_how_well_which_evidence_does(
    text: str | None, images: tuple[str, ...], modality: str, evidence: tuple[str, ...]
) -> None:
    setup = SupervisedSetup(level=2, text_extractor=text, image_extractors=images, folds=3, repeats=2)
    score = score_supervised(catalogue(8), setup)
    figures = score.figures
    assert (figures.modality, figures.evidence, figures.n) == (modality, evidence, 24)
    assert (figures.status, figures.reason) == (TrialStatus.DONE, None)
    assert figures.extractor == "+".join([*([text] if text else []), *images])
    for spread in (figures.accuracy, figures.macro_f1):
        assert spread is not None
        assert 0.8 < spread.low <= spread.mean <= spread.high <= 1
    assert score.probabilities.shape == (24, len(KINDS))
    np.testing.assert_allclose(score.probabilities.sum(axis=1), 1, atol=1e-3)
    json.dumps(figures.as_json())


def test_what_a_listing_lacks_counts_against_the_fused_answer_only() -> None:
    examples = catalogue(8)
    examples[0] = replace(examples[0], evidence=replace(examples[0].evidence, name="", description=""))
    examples[1] = replace(examples[1], evidence=replace(examples[1].evidence, photo=None))
    bare = replace(examples[2].evidence, name="", description="", photo=None)
    examples[2] = replace(examples[2], evidence=bare)
    alone, both = score_supervised(examples, TEXT), score_supervised(examples, BOTH)
    assert (alone.figures.n, both.figures.n) == (22, 24)
    assert not both.probabilities[2].any()
    assert both.probabilities[0].any()
    assert both.figures.accuracy is not None
    assert both.figures.accuracy.mean <= 23 / 24


def test_attributes_can_be_left_out() -> None:
    revealing = [
        replace(each, evidence=replace(each.evidence, name="thing", description="", attributes={"kind": each.category}))
        for each in catalogue(8)
    ]
    without = score_supervised(revealing, TEXT, attributes=False).figures
    with_attributes = score_supervised(revealing, TEXT).figures
    assert without.evidence == ("name", "description")
    assert without.accuracy is not None
    assert with_attributes.accuracy is not None
    assert with_attributes.accuracy.mean > 0.9 > without.accuracy.mean


def test_too_little_to_judge_is_refused() -> None:
    with pytest.raises(InvalidInput, match="too few"):
        score_supervised(catalogue(1), replace(TEXT, folds=5))
    with pytest.raises(InvalidInput):
        score_supervised(catalogue(8, photos=False), SupervisedSetup(level=2, image_extractors=("fisher",)))


def test_of_many_listings_a_sample_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised_scores, "MAX_LISTINGS", 30)
    score = score_supervised(catalogue(20), TEXT)
    assert score.figures.n == 30
    assert (score.probabilities.sum(axis=1) > 0).sum() == 30


def test_the_interval_contains_the_mean_and_a_missing_answer_is_wrong() -> None:
    labels = np.arange(200) % 4
    predicted = np.stack([labels, np.where(np.arange(200) < 40, -1, labels)])
    scores = bootstrap_scores(labels, predicted, 4)
    assert scores.accuracy.mean == pytest.approx(0.9)
    assert scores.accuracy.std == pytest.approx(0.1)
    assert 0.85 < scores.accuracy.low < 0.9 < scores.accuracy.high < 0.95
    assert scores.macro_f1.low < scores.macro_f1.mean < scores.macro_f1.high


def test_the_learning_curve_rises_and_ends_with_all_there_is() -> None:
    points = learning_curve(catalogue(30), replace(BOTH, folds=5))
    for modality in Modality:
        curve = [(each.per_category, each.accuracy.mean) for each in points if each.modality is modality]
        assert [size for size, _ in curve] == [1, 3, 5, 10, 20, 24]
        assert curve[-1][1] >= curve[0][1]
        assert curve[-1][1] > 0.9


def test_the_learning_curve_works_with_one_modality() -> None:
    points = learning_curve(catalogue(10, photos=False), replace(BOTH, folds=5))
    assert {each.modality for each in points} == {Modality.TEXT}


def test_the_jobs_are_one_per_extractor_the_fused_ones_and_the_curve() -> None:
    assert supervised_jobs(["bag_of_words", "tfidf", "fisher", "squeezenet"]) == [
        "bag_of_words",
        "tfidf",
        "fisher",
        "squeezenet",
        "tfidf+fisher",
        "tfidf+squeezenet",
        "learning_curve+tfidf+fisher",
    ]
    assert supervised_jobs(["fisher"]) == ["fisher", "learning_curve+fisher"]
    assert supervised_jobs(["squeezenet"]) == ["squeezenet", "learning_curve+squeezenet"]
    assert supervised_jobs([]) == []


def run_job(examples: Sequence[Example], name: str) -> SupervisedResult:
    """Do a job on the listings of a study; photos are read from it one by one."""
    categories = sorted({example.category for example in examples})
    evidences = [example.evidence for example in examples]
    dataset = StudyDataset(
        level=2,
        categories=tuple(categories),
        labels=np.array([categories.index(example.category) for example in examples]),
        fingerprint="",
        n_labelled=len(examples),
        keys=[example.key for example in examples],
        listing_ids=[None] * len(examples),
        text_evidences=[replace(evidence, photo=None) for evidence in evidences],
        evidences=evidences,
    )
    return run_supervised_job(name, dataset, PLAN, lambda _name: None, silent)


def test_a_job_on_the_listings_of_a_study_equals_a_score_of_the_examples() -> None:
    examples = [replace(each, photo_hash=perceptual_hash(each.evidence.photo or b"")) for each in catalogue(8)]
    result, direct = run_job(examples, "tfidf+fisher"), score_supervised(examples, BOTH)
    assert replace(result.figures[0], seconds=0) == replace(direct.figures, seconds=0)
    assert result.probabilities is not None
    np.testing.assert_array_equal(result.probabilities, direct.probabilities)


def test_text_with_attributes_gives_two_figures_and_the_curve_none() -> None:
    examples = [
        replace(each, evidence=replace(each.evidence, attributes={"colour": "red"}, photo=None))
        for each in catalogue(8, photos=False)
    ]
    assert [figures.evidence for figures in run_job(examples, "tfidf").figures] == [
        ("name", "description"),
        ("name", "description", "attributes"),
    ]
    curve = run_job(examples, "learning_curve+tfidf")
    assert curve.figures == ()
    assert {point.per_category for point in curve.curve} == {0, 1, 3, 5}


def test_an_extractor_without_weights_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="squeezenet"):
        run_job(catalogue(8), "squeezenet")
    reason = Reason.other("no weights")
    (figures,) = failed_supervised_job("tfidf+squeezenet", TrialStatus.UNAVAILABLE, reason).figures
    assert (figures.modality, figures.accuracy, figures.status) == (Modality.FUSED, None, TrialStatus.UNAVAILABLE)
    assert failed_supervised_job("learning_curve+tfidf", TrialStatus.FAILED, reason).figures == ()

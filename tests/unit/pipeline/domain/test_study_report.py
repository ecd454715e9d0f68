"""The report of a study: its stored format stays as it was, and its verdict follows the thresholds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import Feasibility, Spread, StudyProtocol, TrialStatus
from pipeline.domain.study_report import (
    FeasibilityAssessment,
    FeasibilityThresholds,
    StudyReport,
    SupervisedFigures,
    Trial,
    label_issue_entries,
)
from tests.unit.pipeline.study.fake_steps import done_trial, trained_figures
from tests.unit.pipeline.study_report.report_samples import believable, grocery

# Written by the program before reports were dataclasses.
STORED = Path(__file__).parent.parent / "study_report" / "stored" / "report_of_format_1.json"


def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("report", [stored(), believable(), grocery(300)], ids=["stored", "small", "large"])
def test_a_report_comes_back_key_by_key(report: dict[str, Any]) -> None:
    assert StudyReport.from_json(report).as_json() == report


def test_the_order_of_the_keys_stays() -> None:
    assert list(StudyReport.from_json(stored()).as_json()) == list(stored())


def test_a_report_of_an_earlier_program_lacks_what_was_added_since() -> None:
    old = stored()
    for key in ("levels", "clusterings", "attributions"):
        del old[key]
    for row in old["rows"]:
        del row["attribution"]
    for issue in old["wrong_shelves"]:
        del issue["attribution"]
    report = StudyReport.from_json(old)
    assert (report.levels, report.clusterings, report.attributions) == ((), (), ())
    assert report.attribution_of(0) is None
    assert report.label_issues[0].attribution is None


def test_the_file_of_label_issues_names_their_listings() -> None:
    report = stored()
    entry = label_issue_entries(StudyReport.from_json(report))[0].as_json()
    issue = report["wrong_shelves"][0]
    listing, near = report["rows"][issue["row"]], report["rows"][issue["neighbours"][0]["row"]]
    assert (entry["rank"], entry["listing_id"], entry["key"]) == (1, listing["listing_id"], listing["key"])
    assert {name: entry[name] for name in ("given", "proposed", "score")} == {
        name: issue[name] for name in ("given", "proposed", "score")
    }
    neighbours: Any = entry["neighbours"]
    assert list(neighbours[0]) == ["listing_id", "key", "name", "category", "similarity"]
    assert neighbours[0]["key"] == near["key"]


def test_a_coded_reason_comes_back_and_a_plain_one_has_no_code() -> None:
    reason = Reason(ReasonCode.OUT_OF_MEMORY, {"error": "too large"})
    (trial, _) = Trial.without_figures("vgg16", Modality.IMAGE, TrialStatus.FAILED, reason)
    assert trial.as_json()["reason"] == str(reason)
    assert Trial.from_json(trial.as_json()) == trial
    (plain, _) = Trial.without_figures("vgg16", Modality.IMAGE, TrialStatus.FAILED, Reason.other("no"))
    assert "coded_reason" not in plain.as_json()
    assert Trial.from_json(plain.as_json()) == plain


def trial(extractor: str, modality: Modality, ari: float, protocol: StudyProtocol = StudyProtocol.B) -> Trial:
    return done_trial(extractor, modality, protocol, Spread.of([ari]))


def trained(accuracy: float) -> SupervisedFigures:
    return trained_figures("tfidf", Spread.of([accuracy]))


TEXT, IMAGE = Modality.TEXT, Modality.IMAGE


@pytest.mark.parametrize(
    ("trials", "supervised", "verdict"),
    [
        ([trial("tfidf", TEXT, 0.6)], [], Feasibility.FEASIBLE),
        ([trial("tfidf", TEXT, 0.3)], [], Feasibility.PROMISING),
        ([trial("tfidf", TEXT, 0.1), trial("tfidf", TEXT, 0.9, StudyProtocol.A)], [], Feasibility.NOT_FEASIBLE),
        ([trial("sift", IMAGE, 0.1)], [trained(0.9)], Feasibility.FEASIBLE),
        ([trial("tfidf", TEXT, 0.6)], [trained(0.6)], Feasibility.PROMISING),
        ([trial("tfidf", TEXT, 0.1)], [trained(0.5)], Feasibility.NOT_FEASIBLE),
        ([], [trained(0.75)], Feasibility.PROMISING),
        ([], [], Feasibility.NOT_FEASIBLE),
    ],
)
def test_the_verdict_follows_the_thresholds(
    trials: list[Trial], supervised: list[SupervisedFigures], verdict: Feasibility
) -> None:
    assert FeasibilityAssessment.of(trials, supervised).verdict is verdict


def test_findings_name_the_best_of_each_modality() -> None:
    trials = [trial("tfidf", TEXT, 0.5), trial("word2vec", TEXT, 0.6), trial("sift", IMAGE, 0.2)]
    assessment = FeasibilityAssessment.of(trials, [trained(0.5), trained(0.9)])
    assert {modality: best.extractor for modality, best in assessment.best.items()} == {TEXT: "word2vec", IMAGE: "sift"}
    assert assessment.best_ari() == {TEXT: 0.6, IMAGE: 0.2, Modality.FUSED: None}
    assert assessment.estimator is not None
    assert assessment.estimator.accuracy == 0.9
    assert FeasibilityAssessment.from_json(assessment.as_json()) == assessment


def test_an_estimator_that_is_not_promising_is_weak() -> None:
    assert FeasibilityAssessment.of([], [trained(0.69)]).has_weak_estimator
    assert not FeasibilityAssessment.of([], [trained(0.7)]).has_weak_estimator
    assert not FeasibilityAssessment.of([], []).has_weak_estimator


def test_the_thresholds_are_those_of_the_settings() -> None:
    settings = Settings(database_url="x", study_ari_feasible=0.4)
    assert settings.feasibility_thresholds() == FeasibilityThresholds(ari_feasible=0.4)
    assessment = FeasibilityAssessment.of([trial("tfidf", TEXT, 0.45)], [], settings.feasibility_thresholds())
    assert assessment.verdict is Feasibility.FEASIBLE

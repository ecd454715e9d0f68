"""Rankings: the lines of the tables, and what is missing, once for each reason."""

from __future__ import annotations

from dataclasses import replace

from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.study import TrialStatus
from pipeline.domain.study_report import StudyReport
from pipeline.study.supervised_scores import figures_without_result
from pipeline.study_report.rankings import costs, feasibility_lines, missing
from tests.unit.pipeline.study_report.report_samples import believable

REPORT = StudyReport.from_json(believable())


def test_each_extractor_has_a_line_for_each_set_of_evidence() -> None:
    lines = [line for line in feasibility_lines(REPORT) if line.extractor == "tfidf"]
    assert [line.span for line in lines] == [2, 0]
    assert [len(line.trained.evidence) for line in lines if line.trained] == [2, 3]
    untrained = feasibility_lines(replace(REPORT, supervised=()))
    assert {(line.span, line.trained) for line in untrained} == {(1, None)}


def test_what_was_trained_without_a_trial_has_its_own_modality() -> None:
    only = [figures for figures in REPORT.supervised if figures.modality is Modality.IMAGE]
    lines = feasibility_lines(replace(REPORT, trials=(), supervised=tuple(only)))
    assert {(line.modality, line.trial) for line in lines} == {(Modality.IMAGE, None)}


def test_what_is_missing_is_named_once_for_each_reason() -> None:
    reason = next(trial.reason for trial in REPORT.trials if trial.extractor == "vgg16")
    same = figures_without_result(None, ["vgg16"], TrialStatus.UNAVAILABLE, reason, attributes=False)
    other = replace(same, extractor="tfidf+vgg16", reason=Reason.other("too few listings"))
    found = missing(replace(REPORT, supervised=(*REPORT.supervised, same, other)))
    assert [row.extractor for row in found] == ["vgg16", "use", "tfidf+vgg16"]


def test_costs_have_the_dimensions_of_the_features_not_of_the_map() -> None:
    assert {cost.dimensions for cost in costs(REPORT)} == {100}
    assert all(cost.seconds_a is not None for cost in costs(REPORT))

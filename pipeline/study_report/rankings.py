"""Trials and supervised figures, selected and sorted for the tables and charts of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyProtocol, TrialStatus
from pipeline.domain.study_report import ClusteringResult, StudyReport, SupervisedFigures, Trial


@dataclass(frozen=True, slots=True)
class FeasibilityLine:
    """A line of the table of feasibility and quality: an extractor's trial of protocol B, and its supervised figures.

    ``span``, the row span of the extractor's cells, is its number of lines; 0 on all lines but the first.
    """

    extractor: str
    modality: Modality
    trial: Trial | None
    trained: SupervisedFigures | None
    span: int


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an extractor: its trial of protocol B, with the time and dimensions of its trial of protocol A."""

    trial: Trial
    seconds_a: float | None
    dimensions: int | None


def ranked_trials(report: StudyReport, protocol: StudyProtocol) -> list[Trial]:
    """The completed trials of a protocol, best ARI first."""
    done = [trial for trial in report.trials if trial.protocol is protocol and trial.ari is not None]
    return sorted(done, key=lambda trial: -trial.mean_ari)


def ranked_extractors(report: StudyReport) -> list[str]:
    """The extractors with a map or a matrix, best ARI of protocol B first."""
    ranked = [trial.extractor for trial in ranked_trials(report, StudyProtocol.B)]
    known = dict.fromkeys([*ranked, *report.maps, *report.matrices])
    return [name for name in known if name in report.maps or name in report.matrices]


def feasibility_lines(report: StudyReport) -> list[FeasibilityLine]:
    """The lines of the table of feasibility and quality: one per extractor and kind of evidence, best ARI first."""
    trials = {trial.extractor: trial for trial in ranked_trials(report, StudyProtocol.B)}
    trained: dict[str, list[SupervisedFigures]] = {name: [] for name in trials}
    for figures in report.supervised:
        trained.setdefault(figures.extractor, []).append(figures)
    return [line for name, figures_list in trained.items() for line in _lines(name, trials.get(name), figures_list)]


def _lines(name: str, trial: Trial | None, trained: list[SupervisedFigures]) -> Iterator[FeasibilityLine]:
    if trial is not None and not trained:
        yield FeasibilityLine(name, trial.modality, trial, None, 1)
    for number, figures in enumerate(trained):
        modality = figures.modality if trial is None else trial.modality
        yield FeasibilityLine(name, modality, trial, figures, 0 if number else len(trained))


def grouped_clusterings(report: StudyReport, protocol: StudyProtocol) -> list[list[ClusteringResult]]:
    """The results of the clustering methods under a protocol, grouped by extractor."""
    groups: dict[str, list[ClusteringResult]] = {}
    for result in report.clusterings:
        if result.protocol is protocol:
            groups.setdefault(result.extractor, []).append(result)
    return list(groups.values())


def costs(report: StudyReport) -> list[Cost]:
    """Time and memory by extractor, slowest first."""
    done = [trial for trial in report.trials if trial.status is TrialStatus.DONE]
    trials_a = {trial.extractor: trial for trial in done if trial.protocol is StudyProtocol.A}
    rows = []
    for trial in done:
        if trial.protocol is StudyProtocol.B:
            trial_a = trials_a.get(trial.extractor)
            # The dimensions of the features are those of protocol A; B clusters a two-dimensional map.
            rows.append(Cost(trial, trial_a.seconds if trial_a else None, trial_a.dimensions if trial_a else None))
    return sorted(rows, key=lambda cost: -(cost.trial.seconds or 0))


def missing(report: StudyReport) -> list[Trial | SupervisedFigures]:
    """Trials and supervised results without figures, one per extractor, status and reason."""
    results: list[Trial | SupervisedFigures] = [*report.trials, *report.supervised]
    distinct: dict[tuple[str, str, str], Trial | SupervisedFigures] = {}
    for result in results:
        if result.status is not TrialStatus.DONE:
            distinct.setdefault((result.extractor, result.status, str(result.reason or "")), result)
    return list(distinct.values())

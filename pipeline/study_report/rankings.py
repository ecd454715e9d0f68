"""Trials and estimators in the order and the shape in which tables and charts show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyProtocol, TrialStatus
from pipeline.domain.study_report import ClusteringResult, StudyReport, SupervisedFigures, Trial


@dataclass(frozen=True, slots=True)
class FeasibilityLine:
    """A line of the table of feasibility and quality: the trial of protocol B, and what was trained on the same.

    ``span`` is the number of lines of the extractor, on the first of them; 0 on the others.
    """

    extractor: str
    modality: Modality
    trial: Trial | None
    trained: SupervisedFigures | None
    span: int


@dataclass(frozen=True, slots=True)
class Cost:
    """The trial of protocol B of an extractor, with the time and the dimensions of its trial of protocol A."""

    trial: Trial
    seconds_a: float | None
    dimensions: int | None


def ranked_trials(report: StudyReport, protocol: StudyProtocol) -> list[Trial]:
    """The trials of a protocol that are done, best ARI first."""
    done = [trial for trial in report.trials if trial.protocol is protocol and trial.ari is not None]
    return sorted(done, key=lambda trial: -trial.mean_ari)


def ranked_extractors(report: StudyReport) -> list[str]:
    """The extractors with a map or a matrix, best of protocol B first."""
    ranked = [trial.extractor for trial in ranked_trials(report, StudyProtocol.B)]
    known = dict.fromkeys([*ranked, *report.maps, *report.matrices])
    return [name for name in known if name in report.maps or name in report.matrices]


def feasibility_lines(report: StudyReport) -> list[FeasibilityLine]:
    """The extractors of protocol B with what was trained on them; a line for each, and for each set of evidence."""
    trials = {trial.extractor: trial for trial in ranked_trials(report, StudyProtocol.B)}
    trained: dict[str, list[SupervisedFigures]] = {name: [] for name in trials}
    for figures in report.supervised:
        trained.setdefault(figures.extractor, []).append(figures)
    return [line for name, each in trained.items() for line in _lines(name, trials.get(name), each)]


def _lines(name: str, trial: Trial | None, trained: list[SupervisedFigures]) -> Iterator[FeasibilityLine]:
    if trial is not None and not trained:
        yield FeasibilityLine(name, trial.modality, trial, None, 1)
    for number, figures in enumerate(trained):
        modality = figures.modality if trial is None else trial.modality
        yield FeasibilityLine(name, modality, trial, figures, 0 if number else len(trained))


def grouped_clusterings(report: StudyReport, protocol: StudyProtocol) -> list[list[ClusteringResult]]:
    """The clustering methods under a protocol, by the features they were compared on."""
    groups: dict[str, list[ClusteringResult]] = {}
    for result in report.clusterings:
        if result.protocol is protocol:
            groups.setdefault(result.extractor, []).append(result)
    return list(groups.values())


def costs(report: StudyReport) -> list[Cost]:
    """Time and memory by extractor, slowest first."""
    done = [trial for trial in report.trials if trial.status is TrialStatus.DONE]
    under_a = {trial.extractor: trial for trial in done if trial.protocol is StudyProtocol.A}
    found = []
    for trial in done:
        if trial.protocol is StudyProtocol.B:
            other = under_a.get(trial.extractor)
            # The features' own dimensions are those of protocol A; B works on a map of two.
            found.append(Cost(trial, other.seconds if other else None, other.dimensions if other else None))
    return sorted(found, key=lambda cost: -(cost.trial.seconds or 0))


def missing(report: StudyReport) -> list[Trial | SupervisedFigures]:
    """Trials and estimators that have no figures, one for each extractor, status and reason."""
    rows: list[Trial | SupervisedFigures] = [*report.trials, *report.supervised]
    found: dict[tuple[str, str, str], Trial | SupervisedFigures] = {}
    for row in rows:
        if row.status is not TrialStatus.DONE:
            found.setdefault((row.extractor, row.status, str(row.reason or "")), row)
    return list(found.values())

"""The summary of a report: the verdict in a few sentences, and the key figures it is based on."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.prediction import Modality
from pipeline.domain.study import Feasibility
from pipeline.domain.study_report import StudyReport
from pipeline.localisation.localised_text import NO_VALUE
from pipeline.study_report.language import ReportLanguage


@dataclass(frozen=True, slots=True)
class VerdictText:
    """The verdict in words: a headline, the reasons (sentences), the threshold that was applied, and the next step."""

    verdict: Feasibility
    headline: str
    reasons: tuple[str, ...]
    threshold: str
    advice: str


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A key figure: heading, number, meaning of the number, and change since the previous study."""

    heading: str
    number: str
    meaning: str
    change: str = ""
    is_rising: bool = True


def verdict_text(report: StudyReport, words: ReportLanguage) -> VerdictText:
    """Put the verdict and its reasons into words."""
    assessment, reasons, threshold = report.assessment, [], ""
    best_clustering = max(assessment.best.values(), key=lambda clustering: clustering.ari, default=None)
    if assessment.estimator is not None:
        accuracy = words.percent(assessment.estimator.accuracy)
        reasons.append(words("reason_supervised", modality=words(assessment.estimator.modality), accuracy=accuracy))
    if best_clustering is not None:
        key = "reason_groups" if best_clustering.ari >= assessment.thresholds.ari_feasible else "reason_groups_low"
        reasons.append(
            words(key, extractor=words.extractor(best_clustering.extractor), ari=words.decimal(best_clustering.ari))
        )
    # If an estimator was trained, its accuracy decides; otherwise the ARI of the clusters does.
    if assessment.estimator is not None:
        threshold = words("threshold_accuracy", accuracy=words.percent(assessment.thresholds.accuracy_feasible))
    elif best_clustering is not None:
        threshold = words("threshold_ari", ari=words.decimal(assessment.thresholds.ari_feasible))
    advice = words(f"next_{report.verdict}")
    if report.label_issues and report.verdict is Feasibility.FEASIBLE:
        advice += " " + words("next_shelves", n=len(report.label_issues))
    reasons = reasons or [words("reason_nothing")]
    return VerdictText(report.verdict, words(f"headline_{report.verdict}"), tuple(reasons), threshold, advice)


def key_figures(report: StudyReport, words: ReportLanguage) -> list[KeyFigure]:
    """The key figures: text, photo, both, trained; a modality that was not studied has a dash."""
    estimator = report.assessment.estimator
    meaning = words("not_studied") if estimator is None else words("right_unseen")
    accuracy = None if estimator is None else estimator.accuracy
    trained = KeyFigure(words("best_supervised"), words.percent(accuracy), meaning)
    return [*(_best_ari(report, modality, words) for modality in Modality), trained]


def _best_ari(report: StudyReport, modality: Modality, words: ReportLanguage) -> KeyFigure:
    """The best ARI of a modality, with its change since the previous study."""
    heading, best = words(f"best_{modality}"), report.assessment.best.get(modality)
    if best is None:
        return KeyFigure(heading, NO_VALUE, words("not_studied"))
    number, meaning = words.decimal(best.ari), words("ari_by", extractor=words.extractor(best.extractor))
    previous_study = report.trend[-1] if report.trend else None
    previous_ari = (previous_study.best or {}).get(modality) if previous_study else None
    if previous_study is None or previous_ari is None:
        return KeyFigure(heading, number, meaning)
    change = f"{words.signed(best.ari - previous_ari)} {words('since', number=str(previous_study.study_id))}"
    return KeyFigure(heading, number, meaning, change, best.ari >= previous_ari)

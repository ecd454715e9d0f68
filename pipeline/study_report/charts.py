"""Charts described once: data, axes, texts and marks. ``svg`` draws them on the page, ``png`` as pictures.

Ranges and ticks are in the units of the data. Every text is in the language of the reader.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.prediction import Modality
from pipeline.domain.study import Spread, StudyProtocol
from pipeline.domain.study_report import StudyReport
from pipeline.study_report.language import ReportLanguage
from pipeline.study_report.rankings import costs, ranked_trials

MAX_PAST_STUDIES = 14
SHARE_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled value of an axis."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from ``low`` to ``high``; a value outside is drawn at its end."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    label: str = ""

    def share(self, value: float) -> float:
        """Where a value lies on the axis, from 0 to 1; in the middle of an axis without length."""
        if self.high <= self.low:
            return 0.5
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class ChartInterval:
    """A figure with its interval, and how it is written."""

    low: float
    value: float
    high: float
    text: str

    @classmethod
    def of(cls, spread: Spread, write: Callable[[float], str]) -> ChartInterval:
        """The mean of a spread with its interval."""
        return cls(spread.low, spread.mean, spread.high, write(spread.mean))


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A line of an interval chart: its name, a note below it, and the figure of one modality."""

    name: str
    note: str
    modality: Modality
    figure: ChartInterval


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Figures with their intervals, one a line, best first; ``threshold`` is a line across."""

    title: str
    axis: Axis
    rows: tuple[IntervalRow, ...]
    threshold: Tick | None = None

    @property
    def modalities(self) -> list[Modality]:
        """The modalities of the chart, for its legend."""
        return [modality for modality in Modality if any(row.modality is modality for row in self.rows)]


@dataclass(frozen=True, slots=True)
class LinePoint:
    """A point of a line: its place across, and its figure."""

    x: float
    figure: ChartInterval


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line for each modality."""

    title: str
    x_axis: Axis
    y_axis: Axis
    lines: Mapping[Modality, tuple[LinePoint, ...]]

    @property
    def modalities(self) -> list[Modality]:
        """The modalities of the chart, for its legend."""
        return list(self.lines)


@dataclass(frozen=True, slots=True)
class BarPane:
    """Bars of one quantity, with their texts."""

    title: str
    values: tuple[float, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Quantities of the same things side by side, from the top."""

    names: tuple[str, ...]
    panes: tuple[BarPane, ...]


def ranking_chart(report: StudyReport, protocol: StudyProtocol, words: ReportLanguage) -> IntervalChart | None:
    """The ARI of each extractor under a protocol; the threshold is that of protocol B."""
    figures = [
        (trial, ChartInterval.of(trial.ari, words.decimal)) for trial in ranked_trials(report, protocol) if trial.ari
    ]
    if not figures:
        return None
    rows = tuple(IntervalRow(words.extractor(trial.extractor), "", trial.modality, figure) for trial, figure in figures)
    low = min(0.0, *(row.figure.low for row in rows)) - 0.02
    ticks = tuple(Tick(value, words.decimal(value)) for value in SHARE_TICKS)
    limit = report.assessment.thresholds.ari_feasible
    threshold = Tick(limit, words("threshold_line", ari=words.decimal(limit))) if protocol is StudyProtocol.B else None
    axis = Axis(low, 1.0, ticks, f"ARI, {words('interval').lower()}")
    return IntervalChart(words(f"protocol_{protocol}"), axis, rows, threshold)


def supervised_chart(report: StudyReport, words: ReportLanguage) -> IntervalChart | None:
    """The accuracy of what was trained."""
    figures = [(each, ChartInterval.of(each.accuracy, words.percent)) for each in report.supervised if each.accuracy]
    if not figures:
        return None
    rows = tuple(
        IntervalRow(words.extractor(each.extractor), words.evidence(list(each.evidence)), each.modality, figure)
        for each, figure in sorted(figures, key=lambda pair: -pair[1].value)
    )
    low = max(0.0, math.floor(10 * min(row.figure.low for row in rows)) / 10)
    step = 0.05 if low >= 0.7 else 0.1 if low >= 0.4 else 0.2
    values = [round(low + step * number, 2) for number in range(math.floor((1 - low) / step + 1e-9) + 1)]
    ticks = tuple(Tick(value, words.percent(value)) for value in values)
    colon = " :" if words.code == "fr" else ":"
    return IntervalChart(f"{words('supervised')}{colon} {words('accuracy').lower()}", Axis(low, 1.0, ticks), rows)


def learning_curve_chart(report: StudyReport, words: ReportLanguage) -> LineChart | None:
    """The accuracy by listings per category, on a logarithmic scale."""
    if not report.learning_curve:
        return None
    sizes = sorted({point.per_category for point in report.learning_curve})
    x_axis = _spaced({math.log(max(size, 1)): str(size) for size in sizes}, words("per_category"))
    lines = {
        modality: tuple(
            LinePoint(math.log(max(point.per_category, 1)), ChartInterval.of(point.accuracy, words.percent))
            for point in report.learning_curve
            if point.modality is modality
        )
        for modality in Modality
    }
    return _line_chart(words("curve"), x_axis, words("accuracy"), lines, words.percent)


def trend_chart(report: StudyReport, words: ReportLanguage) -> LineChart | None:
    """The best ARI of protocol B over the last studies and this one; None when this is the first."""
    if not report.trend:
        return None
    past = report.trend[-MAX_PAST_STUDIES:]
    studies = [(str(study.study_id), study.best or {}) for study in past]
    studies.append((words("this_study"), report.assessment.best_ari()))
    x_axis = _spaced({float(number): name for number, (name, _) in enumerate(studies)}, words("study").capitalize())

    def figure(ari: float) -> ChartInterval:
        return ChartInterval(ari, ari, ari, words.decimal(ari))

    lines = {
        modality: tuple(
            LinePoint(float(number), figure(ari))
            for number, (_, best) in enumerate(studies)
            if (ari := best.get(modality)) is not None
        )
        for modality in Modality
    }
    return _line_chart(words("trend"), x_axis, "ARI", lines, words.decimal)


def cost_chart(report: StudyReport, words: ReportLanguage) -> BarChart | None:
    """Time and memory of each extractor, slowest first."""
    rows = costs(report)
    if not rows:
        return None
    seconds = BarPane(
        words("time_B"),
        tuple(row.trial.seconds or 0.0 for row in rows),
        tuple(words.duration(row.trial.seconds) for row in rows),
    )
    memory = BarPane(
        words("memory"),
        tuple(row.trial.memory or 0.0 for row in rows),
        tuple(words.size(row.trial.memory) for row in rows),
    )
    return BarChart(tuple(words.extractor(row.trial.extractor) for row in rows), (seconds, memory))


def _line_chart(
    title: str,
    x_axis: Axis,
    y_label: str,
    lines: Mapping[Modality, Sequence[LinePoint]],
    write: Callable[[float], str],
) -> LineChart:
    """A range of round tenths, so that the grid has plain numbers; it need not begin at 0, the labels say where."""
    figures = [point.figure for points in lines.values() for point in points]
    lowest = min((figure.low for figure in figures), default=0.0)
    highest = max((figure.high for figure in figures), default=1.0)
    high = math.ceil(10 * min(highest, 1.0)) / 10
    low = min(math.floor(10 * lowest) / 10, high - 0.2)
    step = 0.1 if high - low <= 0.5 else 0.2
    values = [round(low + number * step, 2) for number in range(round((high - low) / step) + 1)]
    ticks = tuple(Tick(value, write(value)) for value in values if value <= high + 1e-9)
    drawn = {modality: tuple(points) for modality, points in lines.items() if points}
    return LineChart(title, x_axis, Axis(low, high, ticks, y_label), drawn)


def _spaced(names: Mapping[float, str], label: str) -> Axis:
    """An axis with these labels only, from the first to the last."""
    values = list(names)
    return Axis(values[0], values[-1], tuple(Tick(value, name) for value, name in names.items()), label)

"""The data of charts, independent of drawing: values, axes and texts. Drawn by ``svg_charts`` and ``png_charts``.

Ranges and ticks are in the units of the data. All texts are in the language of the report.
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
    """A labelled value on an axis."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from ``low`` to ``high``; values outside are drawn at its ends."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    label: str = ""

    def share(self, value: float) -> float:
        """The position of a value on the axis, from 0 to 1; 0.5 if the axis has no length."""
        if self.high <= self.low:
            return 0.5
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class ChartInterval:
    """A value with its interval, and its text."""

    low: float
    value: float
    high: float
    text: str

    @classmethod
    def of(cls, spread: Spread, format_value: Callable[[float], str]) -> ChartInterval:
        """The mean of a spread with its interval."""
        return cls(spread.low, spread.mean, spread.high, format_value(spread.mean))


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A line of an interval chart: a name, a note below it, and the interval of one modality."""

    name: str
    note: str
    modality: Modality
    interval: ChartInterval


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Values with their intervals, one per line, best first; ``threshold`` is a vertical line."""

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
    """A point of a line: its x value, and its y value with an interval."""

    x: float
    interval: ChartInterval


@dataclass(frozen=True, slots=True)
class LineChart:
    """A chart with one line per modality."""

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
    """Several quantities of the same named items, one pane of bars per quantity."""

    names: tuple[str, ...]
    panes: tuple[BarPane, ...]


def ranking_chart(report: StudyReport, protocol: StudyProtocol, words: ReportLanguage) -> IntervalChart | None:
    """The ARI of each extractor under a protocol; only protocol B has a threshold."""
    intervals = [
        (trial, ChartInterval.of(trial.ari, words.decimal)) for trial in ranked_trials(report, protocol) if trial.ari
    ]
    if not intervals:
        return None
    rows = tuple(
        IntervalRow(words.extractor(trial.extractor), "", trial.modality, interval) for trial, interval in intervals
    )
    low = min(0.0, *(row.interval.low for row in rows)) - 0.02
    ticks = tuple(Tick(value, words.decimal(value)) for value in SHARE_TICKS)
    threshold_value = report.assessment.thresholds.ari_feasible
    threshold = None
    if protocol is StudyProtocol.B:
        threshold = Tick(threshold_value, words("threshold_line", ari=words.decimal(threshold_value)))
    axis = Axis(low, 1.0, ticks, f"ARI, {words('interval').lower()}")
    return IntervalChart(words(f"protocol_{protocol}"), axis, rows, threshold)


def supervised_chart(report: StudyReport, words: ReportLanguage) -> IntervalChart | None:
    """The accuracy of the trained estimators."""
    intervals = [
        (figures, ChartInterval.of(figures.accuracy, words.percent))
        for figures in report.supervised
        if figures.accuracy
    ]
    if not intervals:
        return None
    rows = tuple(
        IntervalRow(
            words.extractor(figures.extractor), words.evidence(list(figures.evidence)), figures.modality, interval
        )
        for figures, interval in sorted(intervals, key=lambda item: -item[1].value)
    )
    low = max(0.0, math.floor(10 * min(row.interval.low for row in rows)) / 10)
    step = 0.05 if low >= 0.7 else 0.1 if low >= 0.4 else 0.2
    values = [round(low + step * number, 2) for number in range(math.floor((1 - low) / step + 1e-9) + 1)]
    ticks = tuple(Tick(value, words.percent(value)) for value in values)
    colon = " :" if words.code == "fr" else ":"
    return IntervalChart(f"{words('supervised')}{colon} {words('accuracy').lower()}", Axis(low, 1.0, ticks), rows)


def learning_curve_chart(report: StudyReport, words: ReportLanguage) -> LineChart | None:
    """The accuracy by number of listings per category, on a logarithmic scale."""
    if not report.learning_curve:
        return None
    sizes = sorted({point.per_category for point in report.learning_curve})
    x_axis = _labelled_axis({math.log(max(size, 1)): str(size) for size in sizes}, words("per_category"))
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
    """The best ARI of protocol B over the latest studies and this one; None if this is the first."""
    if not report.trend:
        return None
    past_studies = report.trend[-MAX_PAST_STUDIES:]
    studies = [(str(study.study_id), study.best or {}) for study in past_studies]
    studies.append((words("this_study"), report.assessment.best_ari()))
    x_axis = _labelled_axis(
        {float(index): name for index, (name, _) in enumerate(studies)}, words("study").capitalize()
    )

    def make_interval(ari: float) -> ChartInterval:
        return ChartInterval(ari, ari, ari, words.decimal(ari))

    lines = {
        modality: tuple(
            LinePoint(float(index), make_interval(ari))
            for index, (_, best) in enumerate(studies)
            if (ari := best.get(modality)) is not None
        )
        for modality in Modality
    }
    return _line_chart(words("trend"), x_axis, "ARI", lines, words.decimal)


def cost_chart(report: StudyReport, words: ReportLanguage) -> BarChart | None:
    """Time and memory of each extractor, slowest first."""
    extractor_costs = costs(report)
    if not extractor_costs:
        return None
    seconds = BarPane(
        words("time_B"),
        tuple(row.trial.seconds or 0.0 for row in extractor_costs),
        tuple(words.duration(row.trial.seconds) for row in extractor_costs),
    )
    memory = BarPane(
        words("memory"),
        tuple(row.trial.memory or 0.0 for row in extractor_costs),
        tuple(words.size(row.trial.memory) for row in extractor_costs),
    )
    return BarChart(tuple(words.extractor(row.trial.extractor) for row in extractor_costs), (seconds, memory))


def _line_chart(
    title: str,
    x_axis: Axis,
    y_label: str,
    lines: Mapping[Modality, Sequence[LinePoint]],
    format_value: Callable[[float], str],
) -> LineChart:
    """A line chart whose y axis has round numbers and covers the data; it need not begin at 0."""
    intervals = [point.interval for points in lines.values() for point in points]
    lowest = min((interval.low for interval in intervals), default=0.0)
    highest = max((interval.high for interval in intervals), default=1.0)
    high = math.ceil(10 * min(highest, 1.0)) / 10
    low = min(math.floor(10 * lowest) / 10, high - 0.2)
    step = 0.1 if high - low <= 0.5 else 0.2
    values = [round(low + number * step, 2) for number in range(round((high - low) / step) + 1)]
    ticks = tuple(Tick(value, format_value(value)) for value in values if value <= high + 1e-9)
    drawn = {modality: tuple(points) for modality, points in lines.items() if points}
    return LineChart(title, x_axis, Axis(low, high, ticks, y_label), drawn)


def _labelled_axis(names: Mapping[float, str], label: str) -> Axis:
    """An axis from the first to the last of these labels, without other ticks."""
    values = list(names)
    return Axis(values[0], values[-1], tuple(Tick(value, name) for value, name in names.items()), label)

"""Charts: what each describes, whatever draws it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.prediction import Modality
from pipeline.domain.study import Spread, StudyProtocol
from pipeline.domain.study_report import LearningCurvePoint, StudyReport
from pipeline.study_report import charts, svg_charts
from pipeline.study_report.charts import Axis
from pipeline.study_report.language import ReportLanguage
from tests.unit.pipeline.study_report.report_samples import believable

ENGLISH, FRENCH = ReportLanguage("en"), ReportLanguage("fr")
REPORT = StudyReport.from_json(believable())


def test_the_ranking_is_best_first_with_the_threshold_of_protocol_b() -> None:
    chart = charts.ranking_chart(REPORT, StudyProtocol.B, FRENCH)
    assert chart is not None
    values = [row.interval.value for row in chart.rows]
    assert values == sorted(values, reverse=True)
    assert chart.threshold is not None
    assert (chart.threshold.value, chart.threshold.text) == (0.5, "net dès 0,50")
    assert chart.modalities == list(Modality)
    other = charts.ranking_chart(REPORT, StudyProtocol.A, ENGLISH)
    assert other is not None
    assert other.threshold is None
    assert charts.ranking_chart(replace(REPORT, trials=()), StudyProtocol.B, ENGLISH) is None


def test_the_ranking_has_room_for_figures_below_zero() -> None:
    worse = replace(REPORT.trials[0], protocol=StudyProtocol.B, ari=Spread(-0.1, 0.02, -0.15, -0.05))
    chart = charts.ranking_chart(replace(REPORT, trials=(worse,)), StudyProtocol.B, ENGLISH)
    assert chart is not None
    assert chart.axis.low == pytest.approx(-0.17)


def test_what_was_trained_is_best_first_with_its_evidence() -> None:
    chart = charts.supervised_chart(REPORT, ENGLISH)
    assert chart is not None
    assert (chart.rows[0].name, chart.rows[0].note) == ("TF-IDF", "name, description, attributes")
    assert chart.axis.ticks[0].text == "70\u00a0%"
    assert (chart.axis.ticks[-1].value, chart.axis.ticks[-1].text) == (1.0, "100\u00a0%")


def test_the_learning_curve_is_logarithmic_and_its_grid_has_round_numbers() -> None:
    chart = charts.learning_curve_chart(REPORT, ENGLISH)
    assert chart is not None
    assert [tick.text for tick in chart.x_axis.ticks] == ["5", "10", "20", "40", "80"]
    places = [chart.x_axis.share(tick.value) for tick in chart.x_axis.ticks]
    assert places == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert all(round(tick.value * 10) == pytest.approx(tick.value * 10) for tick in chart.y_axis.ticks)
    points = [point for line in chart.lines.values() for point in line]
    assert all(chart.y_axis.low <= point.interval.low <= point.interval.high <= chart.y_axis.high for point in points)


def test_a_curve_of_one_size_stands_in_the_middle() -> None:
    point = LearningCurvePoint(Modality.TEXT, 5, Spread.of([0.5]))
    chart = charts.learning_curve_chart(replace(REPORT, learning_curve=(point,)), ENGLISH)
    assert chart is not None
    assert svg_charts.line_x(chart.x_axis, chart.lines[Modality.TEXT][0].x) == "52.00%"


def test_the_trend_ends_with_this_study_and_the_first_study_has_none() -> None:
    chart = charts.trend_chart(REPORT, ENGLISH)
    assert chart is not None
    assert [tick.text for tick in chart.x_axis.ticks] == ["8", "9", "11", "this study"]
    assert len(chart.lines[Modality.TEXT]) == 4
    assert len(chart.lines[Modality.FUSED]) == 3, "the first study had no figure"
    assert charts.trend_chart(replace(REPORT, trend=()), ENGLISH) is None


def test_costs_are_slowest_first() -> None:
    chart = charts.cost_chart(REPORT, ENGLISH)
    assert chart is not None
    assert chart.names[0] == "SIFT"
    seconds, memory = chart.panes
    assert list(seconds.values) == sorted(seconds.values, reverse=True)
    assert memory.texts[0] == "402\u00a0MB"


def test_a_value_outside_an_axis_is_drawn_at_its_end() -> None:
    axis = Axis(0.0, 1.0, ())
    assert [svg_charts.interval_x(axis, value) for value in (-1, 0, 0.5, 1, 2)] == [
        "4.00%",
        "4.00%",
        "50.00%",
        "96.00%",
        "96.00%",
    ]
    assert (svg_charts.line_y(axis, 0), svg_charts.line_y(axis, 1)) == (svg_charts.LINE_BOTTOM, svg_charts.LINE_TOP)

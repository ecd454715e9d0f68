"""Draw the charts of the report as PNG with matplotlib, for slides and mails, on a light background.

matplotlib is imported when the first chart is drawn; the global state of pyplot is not used. Names are drawn literally,
never parsed as mathtext.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyProtocol
from pipeline.domain.study_report import StudyReport
from pipeline.study_report import charts
from pipeline.study_report.category_groups import Grouping
from pipeline.study_report.charts import BarChart, IntervalChart, LineChart
from pipeline.study_report.csv_tables import slug
from pipeline.study_report.extractor_charts import (
    SIZE,
    ExtractorCharts,
    MapChart,
    MapLabel,
    MapLegend,
    MatrixChart,
)
from pipeline.study_report.language import SEPARATOR, ReportLanguage, shorten
from pipeline.study_report.palette import COLOURS, MODALITY_MARKS, Mark, Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

DPI = 140
ACCENT, GOOD, LINE, INK = "#0f6b5c", "#17694a", "#e0ded6", "#1d2826"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b9c0bd",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11.0,
    "axes.titlepad": 10.0,
    "xtick.color": "#5a6764",
    "ytick.color": INK,
    "text.color": INK,
    "axes.labelcolor": "#5a6764",
    "legend.frameon": False,
}
MARKERS = {Shape.CIRCLE: "o", Shape.SQUARE: "s", Shape.TRIANGLE: "^", Shape.DIAMOND: "D"}
MAP_SIDE = 5.6  # inches
LEGEND_WIDTH = 125.0  # characters that fit on a line of a map's legend
POINT_SIZES = ((300, 40), (700, 26), (1500, 16))  # (maximum number of points, size)
MAX_COLUMN_NUMBERS = 30  # a matrix with more columns has a number on every fifth only


def draw_charts(
    report: StudyReport, extractors: Sequence[ExtractorCharts], legend: MapLegend, languages: Iterable[ReportLanguage]
) -> Iterator[tuple[str, bytes]]:
    """Yield ``name.<language>.png`` and its content for each chart that has data."""
    import matplotlib

    # Installed fonts may lack the letters of a listing's language; this is not worth a warning.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for words in languages:
            for name, figure in _figures(report, extractors, legend, words):
                yield f"{name}.{words.code}.png", _png(figure)


def _figures(
    report: StudyReport, extractors: Sequence[ExtractorCharts], legend: MapLegend, words: ReportLanguage
) -> Iterator[tuple[str, Figure]]:
    for protocol in (StudyProtocol.B, StudyProtocol.A):
        if ranking := charts.ranking_chart(report, protocol, words):
            yield f"ranking_{protocol}", draw_intervals(ranking, words)
    for extractor in extractors:
        name = extractor.extractor
        if extractor.map:
            yield f"map_{slug(name)}", draw_map(extractor.map, name, legend, words)
        if extractor.matrix:
            yield f"matrix_{slug(name)}", draw_matrix(extractor.matrix, name, words)
    if supervised := charts.supervised_chart(report, words):
        yield "supervised", draw_intervals(supervised, words)
    if curve := charts.learning_curve_chart(report, words):
        yield "learning_curve", draw_lines(curve, words)
    if cost := charts.cost_chart(report, words):
        yield "cost", draw_bars(cost)
    if trend := charts.trend_chart(report, words):
        yield "trend", draw_lines(trend, words)


def draw_intervals(chart: IntervalChart, words: ReportLanguage) -> Figure:
    """Draw figures with their intervals, one per line."""
    n_rows, has_notes = len(chart.rows), any(row.note for row in chart.rows)
    figure = _figure(8, 1.3 + 0.42 * n_rows if has_notes else 1.5 + 0.36 * n_rows)
    axes = figure.subplots()
    for index, row in enumerate(chart.rows):
        interval, mark = row.interval, MODALITY_MARKS[row.modality]
        interval_ends = [max(interval.low, chart.axis.low), interval.high]
        axes.plot(interval_ends, [index] * 2, color=_colour(mark), alpha=0.35, linewidth=5, solid_capstyle="round")
        axes.plot(interval.value, index, MARKERS[mark.shape], color=_colour(mark), markersize=7.5)
        end = chart.axis.high + 0.02 * (chart.axis.high - chart.axis.low)
        axes.annotate(interval.text, (end, index), va="center", annotation_clip=False)
    top = -0.75
    if chart.threshold is not None:
        top = -1.05
        axes.axvline(chart.threshold.value, color=GOOD, linestyle=(0, (4, 3)), linewidth=1)
        threshold_position = (chart.threshold.value, -0.75)
        axes.annotate(
            chart.threshold.text, threshold_position, ha="center", fontsize=8.5, color=GOOD, backgroundcolor="white"
        )
    names = [f"{shorten(row.name)}\n{row.note}" if has_notes else shorten(row.name) for row in chart.rows]
    axes.set_yticks(range(n_rows), names, fontsize=8.5 if has_notes else None)
    axes.set_ylim(n_rows - 0.4, top)
    axes.set_xlim(chart.axis.low, chart.axis.high)
    axes.set_xticks([tick.value for tick in chart.axis.ticks], [tick.text for tick in chart.axis.ticks])
    axes.set_xlabel(chart.axis.label)
    _plain(axes, grid="x")
    _add_legend(figure, _modality_handles(chart.modalities, words))
    return _titled(figure, chart.title)


def draw_lines(chart: LineChart, words: ReportLanguage) -> Figure:
    """Draw one line per modality, with the intervals of its points."""
    figure = _figure(8, 3.8)
    axes = figure.subplots()
    for modality, points in chart.lines.items():
        mark, xs = MODALITY_MARKS[modality], [point.x for point in points]
        values = [point.interval.value for point in points]
        axes.plot(xs, values, color=_colour(mark), marker=MARKERS[mark.shape], markersize=6.5, linewidth=2)
        for point in points:
            interval_ends = [point.interval.low, point.interval.high]
            axes.plot([point.x] * 2, interval_ends, color=_colour(mark), alpha=0.35, linewidth=4)
    axes.set_xticks([tick.value for tick in chart.x_axis.ticks], [tick.text for tick in chart.x_axis.ticks])
    axes.set_yticks([tick.value for tick in chart.y_axis.ticks], [tick.text for tick in chart.y_axis.ticks])
    axes.set_xlabel(chart.x_axis.label)
    axes.set_ylabel(chart.y_axis.label)
    _plain(axes, grid="y")
    _add_legend(figure, _modality_handles(chart.modalities, words))
    return _titled(figure, chart.title)


def draw_bars(chart: BarChart) -> Figure:
    """Draw horizontal bars, one pane per quantity."""
    n_names = len(chart.names)
    figure = _figure(9, 1.2 + 0.36 * n_names)
    panes = np.atleast_1d(figure.subplots(1, len(chart.panes), sharey=True))
    for axes, pane in zip(panes, chart.panes, strict=True):
        axes.barh(range(n_names), pane.values, color=ACCENT, height=0.55)
        for index, (value, text) in enumerate(zip(pane.values, pane.texts, strict=True)):
            axes.annotate(f" {text}", (value, index), va="center", fontsize=9)
        axes.set_title(pane.title)
        axes.set_xlim(0, 1.3 * max([*pane.values, 1e-9]))
        axes.set_xticks([])
        _plain(axes)
    panes[0].set_yticks(range(n_names), [shorten(name) for name in chart.names])
    panes[0].set_ylim(n_names - 0.5, -0.5)
    return figure


def draw_matrix(chart: MatrixChart, extractor: str, words: ReportLanguage) -> Figure:
    """Draw clusters against categories, coloured by the share of the row, and the recall of each category beside it."""
    count = len(chart.cells)
    side = 0.5 if chart.is_numbered else max(0.14, min(0.4, 9 / count))
    font_size = 9.0 if chart.is_numbered else max(5.5, min(9.0, side * 45))
    paths = [recall.category for recall in chart.recall]
    leaves = [words.category(path) if chart.is_numbered else path.split(SEPARATOR)[-1] for path in paths]
    names = [f"{shorten(leaf)}  {number}" for number, leaf in enumerate(leaves, 1)]
    gutter = max(map(len, names)) * font_size / 130
    figure = _figure(gutter + side * count + 2.4, 1.5 + side * count)
    axes, recall_axes = figure.subplots(1, 2, sharey=True, width_ratios=(side * count, 1.9))
    axes.imshow([[cell.share for cell in row] for row in chart.cells], cmap=_ramp(), vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(count), names, fontsize=font_size)
    number_step = 1 if count <= MAX_COLUMN_NUMBERS else 5
    columns = range(0, count, number_step)
    axes.set_xticks(columns, [str(column + 1) for column in columns], fontsize=font_size)
    axes.set_xlabel(words("in_cluster") + " …")
    for cell in (cell for row in chart.cells for cell in row if cell.count and chart.is_numbered):
        colour = "white" if cell.share > 0.55 else INK
        axes.text(cell.column, cell.row, f"{cell.count}", ha="center", va="center", color=colour, fontsize=9)
    recall_axes.barh(range(count), [recall.share or 0 for recall in chart.recall], color=ACCENT, height=0.5)
    for index, recall in enumerate(chart.recall):
        annotation_position = (recall.share or 0, index)
        recall_axes.annotate(
            f" {words.percent(recall.share)}",
            annotation_position,
            va="center",
            fontsize=font_size,
            annotation_clip=False,
        )
    recall_axes.set_title(words("recall"), fontsize=9.5, fontweight="normal")
    recall_axes.set_xlim(0, 1.45)
    recall_axes.set_xticks([])
    recall_axes.tick_params(labelleft=False)
    for pane in (axes, recall_axes):
        pane.tick_params(length=0)
        pane.spines[:].set_visible(False)
    return _titled(figure, f"{words('matrix')} · {words.extractor(extractor)}")


def draw_map(chart: MapChart, extractor: str, legend: MapLegend, words: ReportLanguage) -> Figure:
    """Draw a t-SNE map by category on the left and by cluster on the right, with the same legend as the page."""
    names = [shorten(words.category(entry.name), 40) if entry.name else words("others") for entry in legend.entries]
    columns = max(1, min(len(names), int(LEGEND_WIDTH // (max(map(len, names), default=1) + 5))))
    n_lines = -(-len(names) // columns)
    figure = _figure(2 * MAP_SIDE + 0.3, MAP_SIDE + 0.9 + 0.21 * n_lines)
    panes = (("by_category", chart.by_category), ("by_cluster", chart.by_cluster))
    for axes, (heading, pane) in zip(figure.subplots(1, 2), panes, strict=True):
        _scatter(axes, chart.points, pane.groups, legend.grouping)
        for label in pane.labels:
            _write_label(axes, label)
        axes.set_title(words(heading))
    handles = [_handle(entry.mark, name) for entry, name in zip(legend.entries, names, strict=True)]
    _add_legend(figure, handles, columns)
    drawn_count_text = f"   {len(chart.rows)} / {chart.total}" if len(chart.rows) < chart.total else ""
    return _titled(figure, words("map_of", extractor=words.extractor(extractor)) + drawn_count_text, size=12)


def _scatter(axes: Axes, points: NDArray[np.float64], groups: NDArray[np.int64], grouping: Grouping) -> None:
    size = next((size for max_points, size in POINT_SIZES if len(points) <= max_points), 12)
    for group, mark in enumerate(grouping.marks):
        group_points = points[groups == group]
        axes.scatter(
            group_points[:, 0],
            SIZE - group_points[:, 1],
            s=size,
            marker=MARKERS[mark.shape],
            facecolors=_fill_colour(mark),
            edgecolors=_colour(mark) if mark.hollow else "white",
            linewidths=1.1 if mark.hollow else 0.35,
            alpha=0.85,
        )
    axes.set_xlim(0, SIZE)
    axes.set_ylim(0, SIZE)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(LINE)


def _write_label(axes: Axes, label: MapLabel) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.text(label.x, SIZE - label.y, label.text, ha="center", fontsize=9, fontweight="bold", path_effects=halo)


def _figure(width: float, height: float) -> Figure:
    """An empty figure with automatic layout; width and height in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))


def _titled(figure: Figure, title: str, size: float = 11) -> Figure:
    figure.suptitle(title, x=0.01, ha="left", fontsize=size, fontweight="bold")
    return figure


def _plain(axes: Axes, grid: Literal["x", "y"] | None = None) -> None:
    """Remove frame and tick marks, and optionally draw a grid."""
    if grid:
        axes.grid(axis=grid, color=LINE)
        axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)


def _add_legend(figure: Figure, handles: Sequence[Line2D], columns: int = 3) -> None:
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, fontsize=9, handletextpad=0.2)


def _modality_handles(modalities: Sequence[Modality], words: ReportLanguage) -> list[Line2D]:
    return [_handle(MODALITY_MARKS[modality], words(modality)) for modality in modalities]


def _handle(mark: Mark, text: str) -> Line2D:
    """A legend entry."""
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        linestyle="",
        marker=MARKERS[mark.shape],
        markersize=7,
        markerfacecolor=_fill_colour(mark),
        markeredgecolor=_colour(mark),
        label=text,
    )


def _colour(mark: Mark) -> str:
    return COLOURS[mark.colour][0]


def _fill_colour(mark: Mark) -> str:
    return "none" if mark.hollow else _colour(mark)


def _ramp() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("rayon", ["#ffffff", "#b9dbd3", "#4f9d8d", ACCENT])


def _png(figure: Figure) -> bytes:
    """Render once and encode as PNG; ``savefig`` would render twice to compute the layout."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    stream = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).save(stream, "PNG", compress_level=3, dpi=(DPI, DPI))
    return stream.getvalue()

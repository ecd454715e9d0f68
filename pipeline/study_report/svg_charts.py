"""SVG for the charts of the page: positions in percent of the width or in pixels, paths of marks, the marks of maps.

The template ``charts.html`` assembles them. Everything is readable without scripts: the ``<title>`` of each mark of a
map describes its listing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pipeline.domain.study_report import StudyReport
from pipeline.study_report.category_groups import Grouping
from pipeline.study_report.charts import Axis
from pipeline.study_report.extractor_charts import ExtractorCharts, MapChart, MapPane, MatrixCell
from pipeline.study_report.language import ARROW, SEPARATOR
from pipeline.study_report.palette import GROUP_PREFIX, Mark, Shape

# The ends of the x axis of an interval chart, in percent of the width: room for half a mark and half a label.
INTERVAL_ENDS = (4.0, 96.0)
# The ends of the x axis of a line chart, with room for grid labels on the left; those of its y axis, in pixels.
LINE_ENDS = (9.0, 95.0)
LINE_BOTTOM, LINE_TOP = 200.0, 18.0
MAX_TITLE_LENGTH = 90
MAX_LEAF_LENGTH = 26
SHADES = 10
# (maximum number of points, radius) of the marks on a map.
RADII = ((200, 12.0), (600, 9.5), (1500, 7.5))
CARD_WIDTH, FONT_SIZE = 1000, 12  # pixels: the width of a card, and a readable font size


def interval_x(axis: Axis, value: float) -> str:
    """The x position of a value on an interval chart, in percent of the width."""
    return _percent_between(INTERVAL_ENDS, axis.share(value))


def line_x(axis: Axis, value: float) -> str:
    """The x position of a value on a line chart, in percent of the width."""
    return _percent_between(LINE_ENDS, axis.share(value))


def line_y(axis: Axis, value: float) -> float:
    """The y position of a value on a line chart, in pixels from the top."""
    return round(LINE_BOTTOM - (LINE_BOTTOM - LINE_TOP) * axis.share(value), 1)


def _percent_between(ends: tuple[float, float], share: float) -> str:
    return f"{ends[0] + (ends[1] - ends[0]) * share:.2f}%"


def outline(shape: Shape, x: float, y: float, r: float) -> str:
    """The path of a mark with about the area of a circle of radius ``r``."""
    if shape is Shape.CIRCLE:
        return f"M{x - r:g} {y:g}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"
    if shape is Shape.SQUARE:
        s = round(0.9 * r, 1)
        return f"M{x - s:g} {y - s:g}h{2 * s:g}v{2 * s:g}h{-2 * s:g}z"
    s = round(1.25 * r, 1)
    if shape is Shape.TRIANGLE:
        return f"M{x:g} {y - s:g}l{s:g} {1.75 * s:g}h{-2 * s:g}z"
    return f"M{x:g} {y - s:g}l{s:g} {s:g}l{-s:g} {s:g}l{-s:g} {-s:g}z"


def css_class(mark: Mark) -> str:
    """The CSS class of a mark: ``c`` (filled) or ``r`` (hollow), and the number of its group, such as ``c0``.

    Short, since a page repeats it for each of thousands of marks.
    """
    return ("r" if mark.hollow else "c") + mark.colour.removeprefix(GROUP_PREFIX)


def shade(cell: MatrixCell) -> int:
    """The shade of a cell, from 0 to SHADES, proportional to its share of the row."""
    return round(SHADES * cell.share) if cell.count else 0


@dataclass(frozen=True, slots=True)
class MarkTexts:
    """The texts and links of the marks of maps, by row: title (escaped), photo cell, and link to the listing."""

    titles: Sequence[str]
    photo_cells: Mapping[int, int]
    links: Sequence[int | None]

    @classmethod
    def of(cls, report: StudyReport, photo_cells: Mapping[int, int], *, linked: bool) -> MarkTexts:
        """The texts for a report; if ``linked``, marks link to their listings."""
        titles = [mark_title(row.name or row.key, report.categories[row.category]) for row in report.rows]
        return cls(titles, photo_cells, [row.listing_id if linked else None for row in report.rows])


def mark_title(name: str, category: str) -> str:
    """The tooltip of a mark, HTML-escaped: the name, and the category on a second line."""
    short = name if len(name) <= MAX_TITLE_LENGTH else name[: MAX_TITLE_LENGTH - 1] + "…"
    return str(escape(f"{short}\n{category.replace(SEPARATOR, ARROW)}"))


@dataclass(frozen=True, slots=True)
class MapMarks:
    """The marks of the two panes of a map."""

    by_category: Markup
    by_cluster: Markup


def map_marks(extractors: Iterable[ExtractorCharts], grouping: Grouping, texts: MarkTexts) -> dict[str, MapMarks]:
    """The marks of the maps by extractor."""
    return {
        chart.extractor: MapMarks(
            _pane_marks(chart.map, chart.map.by_category, grouping, texts),
            _pane_marks(chart.map, chart.map.by_cluster, grouping, texts),
        )
        for chart in extractors
        if chart.map
    }


def _pane_marks(chart: MapChart, pane: MapPane, grouping: Grouping, texts: MarkTexts) -> Markup:
    radius = next((radius for max_points, radius in RADII if len(chart.rows) <= max_points), RADII[-1][1])
    parts = []
    for row, (x, y), group in zip(chart.rows.tolist(), chart.points.tolist(), pane.groups.tolist(), strict=True):
        mark, link = grouping.marks[group], texts.links[row]
        photo_attribute = f' data-t="{texts.photo_cells[row]}"' if row in texts.photo_cells else ""
        path_data = outline(mark.shape, round(x), round(y), radius)
        mark_svg = f'<path class="{css_class(mark)}" data-g="{group}"{photo_attribute} d="{path_data}">'
        mark_svg += f"<title>{texts.titles[row]}</title></path>"
        parts.append(mark_svg if link is None else f'<a href="/listings/{int(link)}" tabindex="-1">{mark_svg}</a>')
    return Markup("".join(parts))  # noqa: S704 (numbers, and titles that were escaped)


@dataclass(frozen=True, slots=True)
class HeatmapLayout:
    """The dimensions, in pixels, of a confusion matrix that is too large for a table.

    A cell is ``width`` by ``height``: as wide as the page allows, and at least as high as its name. ``gutter`` is the
    width of the names. Every ``number_step``-th column has its number; ``breaks`` are the rows where another top-level
    category begins, empty if there would be too many.
    """

    width: int
    height: int
    names: tuple[str, ...]
    gutter: int
    number_step: int
    breaks: tuple[int, ...]
    font_size: int = FONT_SIZE

    @classmethod
    def of(cls, categories: Sequence[str]) -> HeatmapLayout:
        """The layout for these categories."""
        leaves = [category.split(SEPARATOR)[-1] for category in categories]
        short = [leaf if len(leaf) <= MAX_LEAF_LENGTH else leaf[: MAX_LEAF_LENGTH - 1] + "…" for leaf in leaves]
        names = tuple(f"{name} · {number}" for number, name in enumerate(short, 1))
        gutter = round(max(map(len, names)) * FONT_SIZE * 0.58) + 10
        width = min(22, max(9, (CARD_WIDTH - gutter) // len(categories)))
        tops = [category.split(SEPARATOR)[0] for category in categories]
        breaks = tuple(row for row in range(1, len(tops)) if tops[row] != tops[row - 1])
        return cls(
            width=width,
            height=max(width, FONT_SIZE + 3),
            names=names,
            gutter=gutter,
            number_step=1 if width >= 18 else 5,
            breaks=breaks if len(breaks) < len(categories) // 3 else (),
        )

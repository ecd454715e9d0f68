"""Charts as SVG for the page: places in percent of the width or in pixels, outlines of marks, the marks of maps.

The template ``charts.html`` puts them together. Everything can be read without scripts: each mark of a map says what
it is in its ``<title>``.
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
from pipeline.study_report.palette import Mark, Shape

# The ends of an axis across, in percent of the width: room for half a mark and half a label at both ends.
INTERVAL_ENDS = (4.0, 96.0)
# Of a line chart, with room for the labels of the grid on the left; and the ends of its other axis, in pixels.
LINE_ENDS = (9.0, 95.0)
BOTTOM, TOP = 200.0, 18.0
MAX_TITLE_LENGTH = 90
MAX_LEAF_LENGTH = 26
SHADES = 10
# (points at most, radius) of the marks on a map.
RADII = ((200, 12.0), (600, 9.5), (1500, 7.5))
CARD_WIDTH, FONT_SIZE = 1000, 12  # the width of a card, and letters that can be read


def interval_x(axis: Axis, value: float) -> str:
    """The place of a value across an interval chart, in percent of the width."""
    return _percent_between(INTERVAL_ENDS, axis.share(value))


def line_x(axis: Axis, value: float) -> str:
    """The place of a value across a line chart, in percent of the width."""
    return _percent_between(LINE_ENDS, axis.share(value))


def line_y(axis: Axis, value: float) -> float:
    """The place of a value on the upward axis of a line chart, in pixels from the top."""
    return round(BOTTOM - (BOTTOM - TOP) * axis.share(value), 1)


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
    """The class of a mark: ``c`` or, for an outline, ``r``, and its colour without the ``k``."""
    return f"{'r' if mark.hollow else 'c'}{mark.colour[1:]}"


def shade(cell: MatrixCell) -> int:
    """The shade of a cell, from 0 to SHADES, by its share of its row."""
    return round(SHADES * cell.share) if cell.count else 0


@dataclass(frozen=True, slots=True)
class MarkTexts:
    """The texts and links of the marks of maps, by row: title (escaped), photo cell, and link to the listing."""

    titles: Sequence[str]
    photo_cells: Mapping[int, int]
    links: Sequence[int | None]

    @classmethod
    def of(cls, report: StudyReport, photo_cells: Mapping[int, int], *, linked: bool) -> MarkTexts:
        """The texts of a report; with ``linked``, marks lead to their listings."""
        titles = [mark_title(row.name or row.key, report.categories[row.category]) for row in report.rows]
        return cls(titles, photo_cells, [row.listing_id if linked else None for row in report.rows])


def mark_title(name: str, category: str) -> str:
    """The tooltip of a mark, escaped: the name, and the category on a second line."""
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
        each.extractor: MapMarks(
            _pane_marks(each.map, each.map.by_category, grouping, texts),
            _pane_marks(each.map, each.map.by_cluster, grouping, texts),
        )
        for each in extractors
        if each.map
    }


def _pane_marks(chart: MapChart, pane: MapPane, grouping: Grouping, texts: MarkTexts) -> Markup:
    radius = next((radius for most, radius in RADII if len(chart.rows) <= most), RADII[-1][1])
    parts = []
    for row, (x, y), group in zip(chart.rows.tolist(), chart.points.tolist(), pane.groups.tolist(), strict=True):
        mark, link = grouping.marks[group], texts.links[row]
        cell = f' data-t="{texts.photo_cells[row]}"' if row in texts.photo_cells else ""
        drawn = outline(mark.shape, round(x), round(y), radius)
        path = f'<path class="{css_class(mark)}" data-g="{group}"{cell} d="{drawn}">'
        path += f"<title>{texts.titles[row]}</title></path>"
        parts.append(path if link is None else f'<a href="/listings/{int(link)}" tabindex="-1">{path}</a>')
    return Markup("".join(parts))  # noqa: S704 (numbers, and titles that were escaped)


@dataclass(frozen=True, slots=True)
class HeatmapLayout:
    """The measures, in pixels, of a matrix that is too large for a table.

    A cell is ``width`` by ``height``: as wide as the page allows, and never lower than its name. ``gutter`` is the room
    for names. Every ``every``-th column has its number; ``breaks`` are the rows where another top category begins.
    """

    width: int
    height: int
    names: tuple[str, ...]
    gutter: int
    every: int
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
            every=1 if width >= 18 else 5,
            breaks=breaks if len(breaks) < len(categories) // 3 else (),
        )

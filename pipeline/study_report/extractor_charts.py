"""The data of the charts of one extractor, independent of drawing: its t-SNE map, and its matrix with recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.study_report import ConfusionMatrix, StudyReport, TrialMap
from pipeline.study_report.category_groups import GroupedBy, Grouping, group_categories
from pipeline.study_report.language import SEPARATOR
from pipeline.study_report.palette import Mark
from pipeline.study_report.rankings import ranked_extractors

SIZE = 1000.0  # the side of a map; lengths are in this unit
MARGIN = 34.0
MAX_POINTS = 1500
MAX_LABEL_LENGTH = 24
LABEL_HEIGHT, LETTER_WIDTH = 30.0, 15.5
MAX_LABELS = 18
MAX_NUMBERED = 14  # categories; a larger matrix shows only coloured cells, without numbers


@dataclass(frozen=True, slots=True)
class MapLabel:
    """A name written on a map; ``x`` is the centre of the text, ``y`` its baseline."""

    x: int
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class MapPane:
    """One of the two colourings of a map: the group of each point, and the names written on it."""

    groups: NDArray[np.int64]
    labels: tuple[MapLabel, ...]


@dataclass(frozen=True, slots=True)
class MapChart:
    """A t-SNE map: ``points``, (m, 2), in a square of SIZE with y downwards, of the listings ``rows``.

    ``total`` is the number of listings on the whole map, of which at most MAX_POINTS are drawn.
    """

    seed: int
    total: int
    rows: NDArray[np.int64]
    points: NDArray[np.float64]
    by_category: MapPane
    by_cluster: MapPane


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """The listings of one category (row) in the cluster of another (column): count, and share of the row."""

    row: int
    column: int
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of a category's listings that are in its own cluster."""

    category: str
    share: float | None
    count: int


@dataclass(frozen=True, slots=True)
class MatrixChart:
    """Clusters against categories, and the recall of each category in the order of the matrix."""

    cells: tuple[tuple[MatrixCell, ...], ...]
    recall: tuple[Recall, ...]

    @property
    def is_numbered(self) -> bool:
        """Whether the matrix is small enough to show its numbers."""
        return len(self.cells) <= MAX_NUMBERED

    def worst_first(self) -> list[Recall]:
        """The recall of the categories, lowest first."""
        return sorted(self.recall, key=lambda recall: (-1.0 if recall.share is None else recall.share, recall.category))


@dataclass(frozen=True, slots=True)
class ExtractorCharts:
    """The charts of one extractor; None for a chart without data."""

    extractor: str
    map: MapChart | None
    matrix: MatrixChart | None


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A group of categories on the maps, and its number of listings; "" is the name of the group of all others."""

    name: str
    mark: Mark
    count: int


@dataclass(frozen=True, slots=True)
class MapLegend:
    """The legend of the maps: how categories share colours."""

    grouping: Grouping
    entries: tuple[LegendEntry, ...]

    @classmethod
    def of(cls, report: StudyReport) -> MapLegend:
        """The legend that all maps of a report share."""
        grouping = group_categories(report.categories, report.counts)
        counts = (
            np.bincount(grouping.group_of_category, weights=report.counts, minlength=len(grouping.names))
            .astype(int)
            .tolist()
        )
        return cls(grouping, tuple(map(LegendEntry, grouping.names, grouping.marks, counts)))


def drawn_rows(report: StudyReport) -> NDArray[np.int64]:
    """The rows that all maps draw, as far as the extractor has features of them."""
    return evenly_sampled_rows(_categories(report))


def extractor_charts(report: StudyReport, grouping: Grouping, rows: NDArray[np.int64]) -> list[ExtractorCharts]:
    """The charts of each extractor, best first; ``rows`` are those to draw on the maps."""
    categories = _categories(report)
    charts = []
    for name in ranked_extractors(report):
        trial_map, matrix = report.maps.get(name), report.matrices.get(name)
        map_chart = None
        if trial_map is not None and trial_map.rows:
            map_chart = _map_chart(trial_map, rows, categories, _Labelling(grouping, report.categories))
        matrix_chart = _matrix_chart(matrix, report) if matrix is not None else None
        charts.append(ExtractorCharts(name, map_chart, matrix_chart))
    return charts


def evenly_sampled_rows(labels: NDArray[np.int64], max_rows: int = MAX_POINTS) -> NDArray[np.int64]:
    """Ascending indices of about ``max_rows`` rows: an even share of each category, at least one row, evenly spaced."""
    if len(labels) <= max_rows:
        return np.arange(len(labels))
    share = max_rows / len(labels)
    selected = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = max(1, int(share * len(rows)))
        selected.append(rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)])
    return np.sort(np.concatenate(selected))


def fit_square(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale points, (m, 2), to the square of a map, preserving the aspect ratio; y then points downwards."""
    if not len(points):
        return points
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (SIZE - 2 * MARGIN) / max(float((high - low).max()), 1e-9)
    fitted: NDArray[np.float64] = (points - (low + high) / 2) * scale + SIZE / 2
    fitted[:, 1] = SIZE - fitted[:, 1]
    return fitted


@dataclass(frozen=True, slots=True)
class _Labelling:
    """The names to write on a map: the categories or, if these are grouped by size, the groups.

    If colours stand for parents, the categories are written: the colour already shows the parent.
    """

    grouping: Grouping
    categories: Sequence[str]

    def pane(self, points: NDArray[np.float64], categories: NDArray[np.int64]) -> MapPane:
        groups = self.grouping.group_of_category[categories]
        if self.grouping.by is GroupedBy.SIZE:
            return MapPane(groups, place_labels(points, groups, self.grouping.names))
        return MapPane(groups, place_labels(points, categories, self.categories))


def place_labels(
    points: NDArray[np.float64], categories: NDArray[np.int64], names: Sequence[str]
) -> tuple[MapLabel, ...]:
    """Labels near the median point of each category, largest categories first, without overlaps."""
    labels: list[MapLabel] = []
    placed_boxes: list[tuple[float, float, float, float]] = []
    present, counts = np.unique(categories, return_counts=True)
    for category in present[np.argsort(-counts, kind="stable")].tolist():
        category_points = points[categories == category]
        central_point = category_points[
            np.argmin(((category_points - np.median(category_points, axis=0)) ** 2).sum(axis=1))
        ]
        text = names[category].split(SEPARATOR)[-1]
        text = text if len(text) <= MAX_LABEL_LENGTH else text[: MAX_LABEL_LENGTH - 1].rstrip() + "…"
        half_width = len(text) * LETTER_WIDTH / 2
        x = float(np.clip(central_point[0], half_width + 4, max(SIZE - half_width - 4, half_width + 4)))
        y = float(np.clip(central_point[1], LABEL_HEIGHT, SIZE - LABEL_HEIGHT / 2))
        box = (x - half_width, y - LABEL_HEIGHT, x + half_width, y + LABEL_HEIGHT / 3)
        if text and not any(_overlap(box, placed_box) for placed_box in placed_boxes):
            placed_boxes.append(box)
            labels.append(MapLabel(round(x), round(y), text))
        if len(labels) == MAX_LABELS:
            break
    return tuple(labels)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _map_chart(
    trial_map: TrialMap, drawn: NDArray[np.int64], categories: NDArray[np.int64], labelling: _Labelling
) -> MapChart | None:
    rows = np.asarray(trial_map.rows, np.int64)
    kept = np.isin(rows, drawn)
    if not kept.any():
        return None
    points = fit_square(np.asarray(trial_map.points, np.float64).reshape(-1, 2))[kept]
    clusters = np.asarray(trial_map.clusters, np.int64)[kept]
    return MapChart(
        seed=trial_map.seed,
        total=len(rows),
        rows=rows[kept],
        points=points,
        by_category=labelling.pane(points, categories[rows[kept]]),
        by_cluster=labelling.pane(points, clusters),
    )


def _categories(report: StudyReport) -> NDArray[np.int64]:
    return np.array([row.category for row in report.rows], np.int64)


def _matrix_chart(matrix: ConfusionMatrix, report: StudyReport) -> MatrixChart:
    cells = tuple(
        tuple(MatrixCell(i, j, count, count / max(sum(counts), 1)) for j, count in enumerate(counts))
        for i, counts in enumerate(matrix.matrix)
    )
    return MatrixChart(cells, tuple(map(Recall, report.categories, matrix.recall, report.counts)))

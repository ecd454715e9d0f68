"""What one extractor saw of the catalogue: its two maps, its matrix, its recall by category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from pipeline.study_report import svg_maps
from pipeline.study_report.palette import Grouping, group
from pipeline.study_report.rankings import order
from pipeline.study_report.thumbnails import Thumbnails

LARGEST_TABLE = 14
SHADES = 10


@dataclass(frozen=True, slots=True)
class Map:
    """The marks and the names of one map."""

    marks: Markup
    labels: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a matrix: its place, its count, its shade (0 to ``SHADES``) by the share of its row."""

    row: int
    column: int
    count: int
    shade: int


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything about one extractor; a part that is not there is None or empty."""

    extractor: str
    seed: int | None
    total: int
    drawn: int
    by_category: Map | None
    by_cluster: Map | None
    cells: list[list[Cell]]
    recall: list[tuple[str, float, int]]


@dataclass(frozen=True, slots=True)
class Legend:
    """A group of categories on the maps: name, classes, outline of its mark, how many studied listings."""

    name: str
    css: str
    outline: str
    count: int


def drawn_rows(report: dict[str, Any]) -> NDArray[np.int64]:
    """The rows that every map draws, as far as the extractor saw them."""
    return svg_maps.draw_evenly(np.array([row["category"] for row in report["rows"]], dtype=np.int64))


def panels(report: dict[str, Any], drawn: NDArray[np.int64], thumbnails: Thumbnails, linked: bool) -> list[Panel]:
    """The panels, best extractor first; with ``linked``, marks lead to their listings."""
    grouping = group(report["categories"], report["counts"])
    rows, names = report["rows"], report["categories"]
    titles = [svg_maps.title(row["name"] or row["key"], names[row["category"]]) for row in rows]
    links = [row["listing_id"] if linked else None for row in rows]
    kinds = np.array([row["category"] for row in rows], dtype=np.int64)
    found = []
    for name in order(report):
        picture, matrix = report["pictures"].get(name), report["matrices"].get(name)
        by_category = by_cluster = None
        placed = svg_maps.place(picture, drawn) if picture else None
        if placed is not None and len(placed.rows):
            own = kinds[placed.rows]
            drawing = (titles, thumbnails.cells, links)
            by_category = Map(svg_maps.marks(placed, own, grouping, *drawing), label_map(placed, own, grouping, names))
            by_cluster = Map(
                svg_maps.marks(placed, placed.clusters, grouping, *drawing),
                label_map(placed, placed.clusters, grouping, names),
            )
        panel = Panel(
            name,
            picture["seed"] if picture else None,
            len(picture["rows"]) if picture else 0,
            len(placed.rows) if placed is not None else 0,
            by_category,
            by_cluster,
            _cells(matrix["matrix"]) if matrix else [],
            sorted(zip(names, matrix["recall"], report["counts"], strict=True), key=_recall) if matrix else [],
        )
        found.append(panel)
    return found


def legend(report: dict[str, Any]) -> tuple[Grouping, list[Legend]]:
    """How categories are grouped on the maps, and the groups."""
    grouping = group(report["categories"], report["counts"])
    counts = np.bincount(grouping.of, weights=report["counts"], minlength=len(grouping.names)).astype(int).tolist()
    entries = [
        Legend(name, svg_maps.css(mark), svg_maps.outline(mark, 10, 10, 6.5), count)
        for name, mark, count in zip(grouping.names, grouping.marks, counts, strict=True)
    ]
    return grouping, entries


def label_map(
    placed: svg_maps.Placed, kinds: NDArray[np.int64], grouping: Grouping, names: Sequence[str]
) -> list[dict[str, Any]]:
    """What to write on a map: by parent, the categories themselves, for their colours say the parent already."""
    if grouping.by == "size":
        return svg_maps.labels(placed, grouping.of[kinds], grouping.names)
    return svg_maps.labels(placed, kinds, names)


def _cells(matrix: Sequence[Sequence[int]]) -> list[list[Cell]]:
    lines = []
    for i, counts in enumerate(matrix):
        whole = max(sum(counts), 1)
        lines.append([Cell(i, j, n, round(SHADES * n / whole) if n else 0) for j, n in enumerate(counts)])
    return lines


def _recall(entry: tuple[str, float | None, int]) -> tuple[float, str]:
    return (entry[1] if entry[1] is not None else -1.0, entry[0])

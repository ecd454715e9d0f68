"""The two t-SNE maps of an extractor as one PNG, with the legend of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.study_report import svg_maps
from pipeline.study_report.charts import figure
from pipeline.study_report.language import Language, shorten
from pipeline.study_report.palette import COLOURS, GREY, Grouping, Mark
from pipeline.study_report.panels import Legend, label_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D")
SIDE = 5.6  # inches of one map
LONGEST_LINE = 125.0  # letters of the legend that fit beside each other


def draw_maps(
    report: dict[str, Any],
    name: str,
    picture: dict[str, Any],
    drawn: NDArray[np.int64],
    grouping: Grouping,
    entries: Sequence[Legend],
    w: Language,
) -> Figure:
    """By category on the left, by cluster on the right; the same part of the points as on the page."""
    from matplotlib.lines import Line2D

    placed = svg_maps.place(picture, drawn)
    own = np.array([row["category"] for row in report["rows"]], dtype=np.int64)[placed.rows]
    names = [shorten(w.category(e.name), 40) if e.name else w("others") for e in entries]
    columns = max(1, min(len(names), int(LONGEST_LINE // (max(map(len, names), default=1) + 5))))
    lines = -(-len(names) // columns)
    sheet = figure(2 * SIDE + 0.3, SIDE + 0.9 + 0.21 * lines)
    for axes, heading, kinds in zip(
        sheet.subplots(1, 2), ("by_category", "by_cluster"), (own, placed.clusters), strict=True
    ):
        _scatter(axes, placed, grouping.of[kinds] if len(kinds) else kinds, grouping)
        for label in label_map(placed, kinds, grouping, report["categories"]):
            _write(axes, label)
        axes.set_title(w(heading))
    handles = [
        Line2D([], [], linestyle="", marker=MARKERS[m.shape], label=text, markersize=7, **_look(m))
        for m, text in zip(grouping.marks, names, strict=True)
    ]
    sheet.legend(handles=handles, loc="outside lower left", ncols=columns, fontsize=9, handletextpad=0.2)
    note = ""
    if len(placed.rows) < len(picture["rows"]):
        note = f"   {len(placed.rows)} / {len(picture['rows'])}"
    title = w("map_of", extractor=w.extractor(name)) + note
    sheet.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return sheet


def _scatter(axes: Axes, placed: svg_maps.Placed, groups: NDArray[np.int64], grouping: Grouping) -> None:
    size = next((s for limit, s in ((300, 40), (700, 26), (1500, 16)) if len(placed.rows) <= limit), 12)
    for at, mark in enumerate(grouping.marks):
        points = placed.points[groups == at]
        look = _look(mark)
        axes.scatter(
            points[:, 0],
            svg_maps.SIZE - points[:, 1],
            s=size,
            marker=MARKERS[mark.shape],
            facecolors=look["markerfacecolor"],
            edgecolors=look["markeredgecolor"] if mark.hollow else "white",
            linewidths=1.1 if mark.hollow else 0.35,
            alpha=0.85,
        )
    axes.set_xlim(0, svg_maps.SIZE)
    axes.set_ylim(0, svg_maps.SIZE)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#e0ded6")


def _write(axes: Axes, label: dict[str, Any]) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.text(
        label["x"],
        svg_maps.SIZE - label["y"],
        label["text"],
        ha="center",
        fontsize=9,
        fontweight="bold",
        path_effects=halo,
    )


def _look(mark: Mark) -> dict[str, Any]:
    colour = GREY if mark.colour is None else COLOURS[mark.colour]
    return {"markerfacecolor": "none" if mark.hollow else colour, "markeredgecolor": colour}

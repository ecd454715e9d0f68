"""Charts of a report in matplotlib. Each function gives a new Figure; none touches pyplot's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.study_report.language import SEPARATOR, Language, shorten
from pipeline.study_report.line_charts import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"text": "#0072b2", "image": "#d55e00", "fused": "#00825f"}
MARKERS = {"text": "o", "image": "s", "fused": "D"}
ACCENT, GOOD, LINE, SOFT = "#0f6b5c", "#17694a", "#e0ded6", "#5a6764"
Row = dict[str, Any]


def figure(width: float, height: float) -> Figure:
    """An empty figure that lays itself out; inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))


def draw_ranking(trials: Sequence[Row], protocol: str, limit: float | None, w: Language) -> Figure:
    """ARI of each extractor with its interval, best on top."""
    drawn = figure(8, 1.5 + 0.36 * len(trials))
    axes = drawn.subplots()
    for at, trial in enumerate(trials):
        ari, colour = trial["ari"], COLOURS[trial["modality"]]
        axes.plot([ari["low"], ari["high"]], [at, at], color=colour, alpha=0.35, linewidth=5, solid_capstyle="round")
        axes.plot(ari["mean"], at, MARKERS[trial["modality"]], color=colour, markersize=7.5)
        axes.annotate(w.decimal(ari["mean"]), (1.02, at), va="center", annotation_clip=False)
    if limit is not None:
        axes.axvline(limit, color=GOOD, linestyle=(0, (4, 3)), linewidth=1)
        axes.annotate(
            w("threshold_line", ari=w.decimal(limit)),
            (limit, -0.75),
            ha="center",
            fontsize=8.5,
            color=GOOD,
            backgroundcolor="white",
        )
    names = [w.extractor(t["extractor"]) + (f" ({t['method']})" if t["method"] != "kmeans" else "") for t in trials]
    axes.set_yticks(range(len(trials)), [shorten(name) for name in names])
    axes.set_ylim(len(trials) - 0.4, -1.05)
    axes.set_xlim(min(0.0, *(t["ari"]["low"] for t in trials)) - 0.02, 1.0)
    ticks = (0, 0.25, 0.5, 0.75, 1)
    axes.set_xticks(ticks, [w.decimal(tick) for tick in ticks])
    axes.grid(axis="x", color=LINE)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlabel(f"ARI, {w('interval').lower()}")
    present = [m for m in COLOURS if any(t["modality"] == m for t in trials)]
    _name_modalities(drawn, present, w)
    drawn.suptitle(w(f"protocol_{protocol}"), x=0.01, ha="left", fontsize=11, fontweight="bold")
    return drawn


def draw_matrix(report: Row, name: str, matrix: Row, w: Language) -> Figure:
    """Clusters against categories by the share of each row, and the recall of each category beside."""
    counts = np.array(matrix["matrix"], dtype=float)
    kinds = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = kinds <= 14
    side = 0.5 if few else max(0.14, min(0.4, 9 / kinds))
    size = 9.0 if few else max(5.5, min(9.0, side * 45))
    leaves = [w.category(c) if few else c.split(SEPARATOR)[-1] for c in report["categories"]]
    names = [f"{shorten(leaf)}  {i}" for i, leaf in enumerate(leaves, 1)]
    room = max(map(len, names)) * size / 130
    drawn = figure(room + side * kinds + 2.4, 1.5 + side * kinds)
    axes, beside = drawn.subplots(1, 2, sharey=True, width_ratios=(side * kinds, 1.9))
    axes.imshow(shares, cmap=_ramp(), vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(kinds), names, fontsize=size)
    every = 1 if kinds <= 30 else 5
    axes.set_xticks(range(0, kinds, every), [str(i + 1) for i in range(0, kinds, every)], fontsize=size)
    if few:
        for i, j in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[i, j] > 0.55 else "#1d2826"
            axes.text(j, i, f"{int(counts[i, j])}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xlabel(w("in_cluster") + " …")
    recall = [share or 0 for share in matrix["recall"]]
    beside.barh(range(kinds), recall, color=ACCENT, height=0.5)
    for at, share in enumerate(matrix["recall"]):
        beside.annotate(f" {w.percent(share)}", (recall[at], at), va="center", fontsize=size, annotation_clip=False)
    beside.set_title(w("recall"), fontsize=9.5, fontweight="normal")
    beside.set_xlim(0, 1.45)
    beside.set_xticks([])
    beside.tick_params(labelleft=False)
    for pane in (axes, beside):
        pane.tick_params(length=0)
        pane.spines[:].set_visible(False)
    drawn.suptitle(f"{w('matrix')} · {w.extractor(name)}", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return drawn


def draw_supervised(rows: Sequence[Row], w: Language) -> Figure:
    """Accuracy of what was trained, best on top."""
    rows = sorted(rows, key=lambda r: r["accuracy"]["mean"])
    drawn = figure(8, 1.3 + 0.42 * len(rows))
    axes = drawn.subplots()
    for at, row in enumerate(rows):
        accuracy, colour = row["accuracy"], COLOURS[row["modality"]]
        axes.plot([accuracy["low"], accuracy["high"]], [at, at], color=colour, alpha=0.35, linewidth=5)
        axes.plot(accuracy["mean"], at, MARKERS[row["modality"]], color=colour, markersize=7.5)
        axes.annotate(w.percent(accuracy["mean"]), (1.015, at), va="center", annotation_clip=False)
    names = [f"{shorten(w.extractor(r['extractor']))}\n{w.evidence(r['evidence'])}" for r in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8.5)
    low = min(r["accuracy"]["low"] for r in rows)
    axes.set_xlim(max(0.0, np.floor(10 * low) / 10), 1.0)
    axes.xaxis.set_major_formatter(lambda value, _: w.percent(round(value, 4)))
    axes.grid(axis="x", color=LINE)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    _name_modalities(drawn, [m for m in COLOURS if any(r["modality"] == m for r in rows)], w)
    title = f"{w('supervised')}: {w('accuracy').lower()}" if w.code == "en" else f"{w('supervised')} : exactitude"
    drawn.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return drawn


def draw_lines(
    chart: Chart, title: str, across: str, down: str, w: Language, number: Callable[[float | None], str]
) -> Figure:
    """Series of a line chart, with their intervals."""
    drawn = figure(8, 3.8)
    axes = drawn.subplots()
    for modality, points in chart.series.items():
        xs, ys = [float(p.x[:-1]) for p in points], [-p.y for p in points]
        colour = COLOURS[modality]
        axes.plot(xs, ys, color=colour, marker=MARKERS[modality], markersize=6.5, linewidth=2, label=w(modality))
        for x, p in zip(xs, points, strict=True):
            axes.plot([x, x], [-p.low, -p.high], color=colour, alpha=0.35, linewidth=4)
    axes.set_xticks([float(x[:-1]) for x, _ in chart.labels], [text or w("this_study") for _, text in chart.labels])
    axes.set_yticks([-y for y, _ in chart.grid], [number(value) for _, value in chart.grid])
    axes.grid(axis="y", color=LINE)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    drawn.legend(loc="outside lower left", ncols=3, fontsize=9)
    drawn.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return drawn


def draw_costs(costs: Sequence[Row], w: Language) -> Figure:
    """Time and memory of each extractor, side by side."""
    rows = list(reversed(costs))
    drawn = figure(9, 1.2 + 0.36 * len(rows))
    left, right = drawn.subplots(1, 2, sharey=True)
    panes = ((left, "time_B", "seconds", w.seconds), (right, "memory", "memory", w.size))
    for axes, heading, figure_name, written in panes:
        values = [row[figure_name] or 0 for row in rows]
        axes.barh(range(len(rows)), values, color=ACCENT, height=0.55)
        for at, row in enumerate(rows):
            axes.annotate(f" {written(row[figure_name])}", (values[at], at), va="center", fontsize=9)
        axes.set_title(w(heading))
        axes.set_xlim(0, 1.3 * max([*values, 1e-9]))
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
    left.set_yticks(range(len(rows)), [shorten(w.extractor(row["extractor"])) for row in rows])
    return drawn


def _name_modalities(drawn: Figure, present: Sequence[str], w: Language) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[m], marker=MARKERS[m], linestyle="", markersize=7, label=w(m)) for m in present
    ]
    drawn.legend(handles=handles, loc="outside lower left", ncols=3, fontsize=9, handletextpad=0.2)


def _ramp() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("rayon", ["#ffffff", "#b9dbd3", "#4f9d8d", ACCENT])

"""Line charts that fit any width: places across in percent, places down in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HEIGHT, TOP, BOTTOM = 230.0, 18.0, 200.0
LEFT, RIGHT = 9.0, 95.0
SERIES = ("text", "image", "fused")
MOST_STUDIES = 14


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a series; ``low`` and ``high`` are places down, the same as ``y`` without an interval."""

    x: str
    y: float
    low: float
    high: float
    value: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Series by modality, labels across (place, text) and grid lines (place down, value)."""

    series: dict[str, list[Point]]
    labels: list[tuple[str, str]]
    grid: list[tuple[float, float]]


def learning_curve(report: dict[str, Any]) -> Chart | None:
    """Accuracy over listings per category (on a logarithmic scale); None when there is no such figure."""
    points = [p for p in report["learning_curve"] if p["accuracy"] is not None]
    if not points:
        return None
    sizes = sorted({p["per_category"] for p in points})
    at = _spaced([math.log(max(size, 1)) for size in sizes])
    values = {
        m: [(at[sizes.index(p["per_category"])], p["accuracy"]) for p in points if p["modality"] == m] for m in SERIES
    }
    labels = [(x, str(size)) for x, size in zip(at, sizes, strict=True)]
    return _chart({m: v for m, v in values.items() if v}, labels)


def trend(report: dict[str, Any], this: dict[str, float | None]) -> Chart | None:
    """Best ARI over the last studies and this one; None when this is the first."""
    if not report["trend"]:
        return None
    studies = [(str(s["study_id"]), s["best"] or {}) for s in report["trend"][-MOST_STUDIES:]] + [("", this)]
    at = _spaced(list(range(len(studies))))
    values = {
        m: [(x, _alone(best[m])) for x, (_, best) in zip(at, studies, strict=True) if best.get(m) is not None]
        for m in SERIES
    }
    return _chart({m: v for m, v in values.items() if v}, [(x, name) for x, (name, _) in zip(at, studies, strict=True)])


def _chart(values: dict[str, list[tuple[str, dict[str, float]]]], labels: list[tuple[str, str]]) -> Chart:
    every = [spread[part] for points in values.values() for _, spread in points for part in ("low", "high")] or [0, 1]
    # A range of round tenths, so that the grid has plain numbers; it need not begin at 0, the labels say where.
    low, high = math.floor(10 * min(every)) / 10, math.ceil(10 * min(max(every), 1.0)) / 10
    low, high = min(low, high - 0.2), high
    step = 0.1 if high - low <= 0.5 else 0.2

    def down(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (min(max(value, low), high) - low) / (high - low), 1)

    series = {
        m: [Point(x, down(s["mean"]), down(s["low"]), down(s["high"]), s["mean"]) for x, s in points]
        for m, points in values.items()
    }
    grid = [round(low + i * step, 2) for i in range(round((high - low) / step) + 1)]
    return Chart(series, labels, [(down(value), value) for value in grid if value <= high + 1e-9])


def _spaced(values: Sequence[float]) -> list[str]:
    first, last = values[0], values[-1]
    width = (last - first) or 1.0
    middle = (LEFT + RIGHT) / 2
    return [f"{LEFT + (RIGHT - LEFT) * (v - first) / width if last > first else middle:.2f}%" for v in values]


def _alone(value: float) -> dict[str, float]:
    return {"mean": value, "low": value, "high": value}

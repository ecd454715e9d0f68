"""The t-SNE maps as inline SVG: a mark for each listing, readable without scripts by its <title>."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from pipeline.study_report.language import ARROW, SEPARATOR
from pipeline.study_report.palette import Grouping, Mark

SIZE = 1000.0
EDGE = 34.0
MOST_DRAWN = 1500
LONGEST_TITLE = 90
LONGEST_LABEL = 24
LABEL_HEIGHT, LETTER = 30.0, 15.5
MOST_LABELS = 18
# Marks of about the same area; sizes in units of the map, for few and for many points.
RADII = ((200, 12.0), (600, 9.5), (1500, 7.5))


@dataclass(frozen=True, slots=True)
class Placed:
    """The drawn part of one picture: ``rows`` of the report, ``points`` in the square, ``clusters`` as categories."""

    rows: NDArray[np.int64]
    points: NDArray[np.float64]
    clusters: NDArray[np.int64]


def draw_evenly(categories: NDArray[np.int64], most: int = MOST_DRAWN) -> NDArray[np.int64]:
    """Ascending indices of at most ``most`` rows, the same share of each category (one at least), spread evenly."""
    if len(categories) <= most:
        return np.arange(len(categories))
    share = most / len(categories)
    chosen = []
    for kind in np.unique(categories):
        rows = np.flatnonzero(categories == kind)
        count = max(1, int(share * len(rows)))
        chosen.append(rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)])
    return np.sort(np.concatenate(chosen))


def place(picture: Mapping[str, Any], drawn: NDArray[np.int64]) -> Placed:
    """Scale a picture's points into the square, keeping their proportions, and keep those of the drawn rows."""
    rows = np.asarray(picture["rows"], dtype=np.int64)
    points = np.asarray(picture["points"], dtype=np.float64).reshape(-1, 2)
    clusters = np.asarray(picture["clusters"], dtype=np.int64)
    if len(points):
        low, high = points.min(axis=0), points.max(axis=0)
        scale = (SIZE - 2 * EDGE) / max(float((high - low).max()), 1e-9)
        points = (points - (low + high) / 2) * scale + SIZE / 2
        points[:, 1] = SIZE - points[:, 1]
    kept = np.isin(rows, drawn)
    return Placed(rows[kept], points[kept], clusters[kept])


def marks(
    placed: Placed,
    kinds: NDArray[np.int64],
    grouping: Grouping,
    titles: Sequence[str],
    cells: Mapping[int, int],
    links: Sequence[int | None],
) -> Markup:
    """The marks of a map, coloured by ``kinds`` (a category for each point).

    ``titles`` and ``links`` (listing ids, None for no link) are by row; ``cells`` has the place of a
    row's photo on the sheet.
    """
    radius = next((r for limit, r in RADII if len(placed.rows) <= limit), RADII[-1][1])
    parts = []
    for row, (x, y), kind in zip(placed.rows.tolist(), placed.points.tolist(), kinds.tolist(), strict=True):
        at = int(grouping.of[kind])
        mark, link = grouping.marks[at], links[row]
        cell = f' data-t="{cells[row]}"' if row in cells else ""
        drawn = f'<path class="{css(mark)}" data-g="{at}"{cell} d="{outline(mark, x, y, radius)}">'
        drawn += f"<title>{titles[row]}</title></path>"
        parts.append(drawn if link is None else f'<a href="/listings/{int(link)}" tabindex="-1">{drawn}</a>')
    return Markup("".join(parts))  # noqa: S704 (numbers, and titles that were escaped)


def outline(mark: Mark, x: float, y: float, r: float) -> str:
    """The path of a mark of about the area of a circle of radius ``r``."""
    if mark.shape == 0:
        return f"M{x - r:.0f} {y:.0f}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"
    if mark.shape == 1:
        s = round(0.9 * r, 1)
        return f"M{x - s:.0f} {y - s:.0f}h{2 * s:g}v{2 * s:g}h{-2 * s:g}z"
    if mark.shape == 2:
        s = round(1.25 * r, 1)
        return f"M{x:.0f} {y - s:.0f}l{s:g} {1.75 * s:g}h{-2 * s:g}z"
    s = round(1.25 * r, 1)
    return f"M{x:.0f} {y - s:.0f}l{s:g} {s:g}l{-s:g} {s:g}l{-s:g} {-s:g}z"


def css(mark: Mark) -> str:
    """The classes of a mark."""
    colour = "g" if mark.colour is None else str(mark.colour)
    return f"{'r' if mark.hollow else 'c'}{colour}"


def title(name: str, category: str) -> str:
    """What a mark says when pointed at, escaped: name, then category on a line of its own."""
    short = name if len(name) <= LONGEST_TITLE else name[: LONGEST_TITLE - 1] + "…"
    return str(escape(f"{short}\n{category.replace(SEPARATOR, ARROW)}"))


def labels(
    placed: Placed, kinds: NDArray[np.int64], names: Sequence[str], right_edge: float = SIZE
) -> list[dict[str, Any]]:
    """Names to write on a map where most of a kind lie, the largest kinds first, none over another.

    Each is ``{"x", "y", "text"}``, x being the middle of the words.
    """
    found: list[dict[str, Any]] = []
    taken: list[tuple[float, float, float, float]] = []
    present, counts = np.unique(kinds, return_counts=True)
    for kind in present[np.argsort(-counts, kind="stable")].tolist():
        own = placed.points[kinds == kind]
        middle = own[np.argmin(((own - np.median(own, axis=0)) ** 2).sum(axis=1))]
        text = names[kind].split(SEPARATOR)[-1]
        text = text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1].rstrip() + "…"
        half = len(text) * LETTER / 2
        x = float(np.clip(middle[0], half + 4, max(right_edge - half - 4, half + 4)))
        y = float(np.clip(middle[1], LABEL_HEIGHT, SIZE - LABEL_HEIGHT / 2))
        box = (x - half, y - LABEL_HEIGHT, x + half, y + LABEL_HEIGHT / 3)
        if text and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            found.append({"x": round(x), "y": round(y), "text": text})
        if len(found) == MOST_LABELS:
            break
    return found


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

"""The figures as PNG, for slides and mails: the same content and colours as the page, on light paper.

matplotlib is imported when the first figure is drawn. Names are drawn as they are, never read as formulas.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pipeline.study_report import charts, line_charts, rankings
from pipeline.study_report.csv_tables import slug
from pipeline.study_report.language import Language
from pipeline.study_report.panels import drawn_rows, legend
from pipeline.study_report.png_maps import draw_maps
from pipeline.study_report.summary import findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Report = dict[str, Any]
DPI = 140
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
    "ytick.color": "#1d2826",
    "text.color": "#1d2826",
    "axes.labelcolor": "#5a6764",
    "legend.frameon": False,
}


def figures(report: Report, languages: Sequence[Language]) -> Iterator[tuple[str, bytes]]:
    """``name.<language>.png`` and its bytes, for every figure that has anything to show."""
    import matplotlib

    # The fonts at hand may lack the letters of a listing's language; that is no news for anybody.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, draw in _drawings(report).items():
            for words in languages:
                yield f"{name}.{words.code}.png", _png(draw(words))


def _drawings(report: Report) -> dict[str, Callable[[Language], Figure]]:
    """How each figure is drawn in a language."""
    found: dict[str, Callable[[Language], Figure]] = {}
    facts = findings(report)
    limit = facts.get("threshold", {}).get("ari_feasible")
    for protocol in ("B", "A"):
        if trials := rankings.ranked(report, protocol):
            shown = limit if protocol == "B" else None
            found[f"ranking_{protocol}"] = partial(charts.draw_ranking, trials, protocol, shown)
    grouping, entries = legend(report)
    drawn = drawn_rows(report)
    for name in rankings.order(report):
        if picture := report["pictures"].get(name):
            found[f"map_{slug(name)}"] = partial(draw_maps, report, name, picture, drawn, grouping, entries)
        if matrix := report["matrices"].get(name):
            found[f"matrix_{slug(name)}"] = partial(charts.draw_matrix, report, name, matrix)
    if trained := [s for s in report["supervised"] if s["accuracy"]]:
        found["supervised"] = partial(charts.draw_supervised, trained)
    if curve := line_charts.learning_curve(report):
        found["learning_curve"] = lambda w: charts.draw_lines(
            curve, w("curve"), w("per_category"), w("accuracy"), w, w.percent
        )
    if costs := rankings.costs(report):
        found["cost"] = partial(charts.draw_costs, costs)
    best = {m: (facts.get(f"best_{m}") or {}).get("ari") for m in line_charts.SERIES}
    if trend := line_charts.trend(report, best):
        found["trend"] = lambda w: charts.draw_lines(trend, w("trend"), w("study").capitalize(), "ARI", w, w.decimal)
    return found


def _png(figure: Figure) -> bytes:
    """Draw once and write; ``savefig`` would draw a second time to find its layout."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    written = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).save(written, "PNG", compress_level=3, dpi=(DPI, DPI))
    return written.getvalue()

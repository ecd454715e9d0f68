"""A report as files: pages in two languages, styles, figures, tables. Names of listings are hostile and escaped.

The page parts (``body.*.html``) link to ``/studies/<id>/files/`` and ``/listings/<id>``; the files (``report.*.html``)
hold everything they need, and a policy that lets nothing in from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.localisation.catalogue import LANGUAGES
from pipeline.study_report import line_charts, rankings, thumbnails
from pipeline.study_report.csv_tables import slug, tables
from pipeline.study_report.language import SEPARATOR, Language, shorten
from pipeline.study_report.panels import LARGEST_TABLE, Panel, drawn_rows, legend, panels
from pipeline.study_report.png_figures import figures
from pipeline.study_report.summary import answer, findings, is_weak, tiles
from pipeline.study_report.thumbnails import Photos, Thumbnails

FOLDER = Path(__file__).parent / "templates"
MOST_PANELS = 16  # as many as report.css can choose between
MOST_PAIRS, SHOWN_SHELVES, LISTED_SHELVES, SHOWN_RECALL = 8, 12, 120, 14
SHEET = "photos.webp"
LONGEST_LEAF = 26
HEAT_WIDTH, HEAT_FONT = 1000, 12  # the width of a card, and letters that can be read


def render(report: dict[str, Any], photos: Photos) -> dict[str, bytes]:
    """The files of a report by name, in the order to write them: ``report.json`` comes last.

    ``photos`` gives the photo of a row, or None; it is called from a few threads, for the rows that are shown.
    """
    report = plain(report)
    drawn = drawn_rows(report)
    shown = thumbnails.example_rows(report, MOST_PAIRS, SHOWN_SHELVES)
    small = thumbnails.make(photos, drawn.tolist(), shown)
    files = {
        name: content.encode() for name, content in (("report.css", _text("report.css")), ("report.js", _script()))
    }
    if small.sheet:
        files[SHEET] = small.sheet
    alone = panels(report, drawn, small, linked=False)[:MOST_PANELS]
    linked = panels(report, drawn, small, linked=True)[:MOST_PANELS] if report["study_id"] else alone
    for code in LANGUAGES:
        words = Language(code)
        files[f"report.{code}.html"] = _page("file.html", report, words, alone, small, linked=False)
        files[f"body.{code}.html"] = _page("body.html", report, words, linked, small, bool(report["study_id"]))
    files |= {f"tables/{name}": content for name, content in tables(report).items()}
    files |= {f"figures/{name}": content for name, content in figures(report, [Language(code) for code in LANGUAGES])}
    files["report.json"] = json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()
    return files


def plain(report: dict[str, Any]) -> dict[str, Any]:
    """The report as JSON has it: numbers of numpy become plain ones, and one that is none (a NaN) becomes null."""
    text = json.dumps(report, ensure_ascii=False, default=lambda value: value.tolist())
    found: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return found


def _page(
    template: str, report: dict[str, Any], words: Language, shown: list[Panel], small: Thumbnails, linked: bool
) -> bytes:
    prefix = f"/studies/{report['study_id']}/files/"
    grouping, entries = legend(report)
    found = findings(report)
    best = {m: (found.get(f"best_{m}") or {}).get("ari") for m in line_charts.SERIES}
    trained = [s for s in report["supervised"] if s["status"] == "done" and s["accuracy"]]
    costs = rankings.costs(report)
    css, script = _text("report.css"), _script()
    context = {
        "w": words,
        "report": report,
        "rows": report["rows"],
        "linked": linked,
        "titled": template == "file.html",
        "heading": "h1",
        "files": prefix,
        "sheet": (prefix + SHEET if linked else Markup(small.sheet_uri)) if small.sheet else "",  # noqa: S704 (base64)
        "cell": thumbnails.CELL,
        "columns": thumbnails.COLUMNS,
        "examples": small.examples,
        "answer": answer(report, words),
        "tiles": tiles(report, words),
        "rankings": [(protocol, rankings.ranked(report, protocol)) for protocol in ("B", "A")],
        "clusterings": [(p, groups) for p in ("B", "A") if (groups := rankings.compared(report, p))],
        "ticks": rankings.TICKS,
        "across": rankings.across,
        "limit": found.get("threshold", {}).get("ari_feasible"),
        "panels": shown,
        "grouping": grouping,
        "legend": entries,
        "largest_table": LARGEST_TABLE,
        "heat": _heat(report["categories"]),
        "shown_recall": SHOWN_RECALL,
        "due_to": report.get("attributions", []),
        "pairs": report["hardest_pairs"][:MOST_PAIRS],
        "judged": rankings.judged(report),
        "trained": trained[0] if trained else None,
        "best_accuracy": max((s["accuracy"]["mean"] for s in trained), default=None),
        "weak": is_weak(report),
        "curve": line_charts.learning_curve(report),
        "shelves": report["wrong_shelves"],
        "shown_shelves": SHOWN_SHELVES,
        "listed_shelves": LISTED_SHELVES,
        "levels": report.get("levels", []),
        "costs": costs,
        "longest": max((c["seconds"] or 0 for c in costs), default=0) or 1,
        "missing": rankings.missing(report),
        "trend": line_charts.trend(report, best),
        "this_best": best,
        "slug": slug,
        "shorten": shorten,
        "css": Markup(css),  # noqa: S704 (ours)
        "js": Markup(script),  # noqa: S704 (ours)
        "css_hash": _digest(css),
        "js_hash": _digest(script),
    }
    return _environment().get_template(template).render(context).encode()


def _heat(categories: list[str]) -> dict[str, Any]:
    """Measures of a matrix that is too large for a table, in pixels.

    A cell is ``wide`` and ``high``: as wide as the page lets it, and never lower than its name. ``gutter`` is the room
    for names. Every ``every``-th column has its number; ``breaks`` are the rows where another top category begins.
    """
    leaves = [category.split(SEPARATOR)[-1] for category in categories]
    names = [leaf if len(leaf) <= LONGEST_LEAF else leaf[: LONGEST_LEAF - 1] + "…" for leaf in leaves]
    names = [f"{name} · {at}" for at, name in enumerate(names, 1)]
    gutter = round(max(map(len, names)) * HEAT_FONT * 0.58) + 10
    wide = min(22, max(9, (HEAT_WIDTH - gutter) // len(categories)))
    tops = [category.split(SEPARATOR)[0] for category in categories]
    breaks = [at for at in range(1, len(tops)) if tops[at] != tops[at - 1]]
    return {
        "wide": wide,
        "high": max(wide, HEAT_FONT + 3),
        "font": HEAT_FONT,
        "names": names,
        "gutter": gutter,
        "every": 1 if wide >= 18 else 5,
        "breaks": breaks if len(breaks) < len(categories) // 3 else [],
    }


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


_script = partial(_text, "report.js")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

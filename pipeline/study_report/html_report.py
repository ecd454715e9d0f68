"""Render a report as files: pages in two languages, styles, charts, tables. All texts of listings are escaped.

``body.*.html`` are parts of web pages and link to ``/studies/<id>/files/`` and ``/listings/<id>``; ``report.*.html``
are self-contained, with a Content-Security-Policy that allows no external resources.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyProtocol
from pipeline.domain.study_report import StudyReport
from pipeline.localisation.message_catalogues import LANGUAGES
from pipeline.study.study_steps import Photos
from pipeline.study_report import charts, png_charts, rankings, svg_charts
from pipeline.study_report.csv_tables import csv_tables, slug
from pipeline.study_report.extractor_charts import ExtractorCharts, MapLegend, drawn_rows, extractor_charts
from pipeline.study_report.language import ReportLanguage, shorten
from pipeline.study_report.palette import MODALITY_MARKS, css_colours
from pipeline.study_report.summary import key_figures, verdict_text
from pipeline.study_report.thumbnails import CELL, COLUMNS, ReportThumbnails, example_rows, make_thumbnails

FOLDER = Path(__file__).parent / "templates"
MAX_EXTRACTORS = 16  # the number of extractor tabs that report.css supports
MAX_PAIRS, SHOWN_ISSUES, LISTED_ISSUES, SHOWN_RECALL = 8, 12, 120, 14
SHEET_FILE = "photos.webp"
PROTOCOLS = (StudyProtocol.B, StudyProtocol.A)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts that all pages of a report share; ``marks`` by whether they link to listings, then by extractor."""

    report: StudyReport
    extractors: Sequence[ExtractorCharts]
    legend: MapLegend
    marks: Mapping[bool, Mapping[str, svg_charts.MapMarks]]
    thumbnails: ReportThumbnails
    css: str
    script: str


def render(report: StudyReport, photos: Photos) -> dict[str, bytes]:
    """The files of a report by name, except ``report.json``.

    ``photos`` is called from several threads, for the rows whose photos are shown.
    """
    legend, map_rows = MapLegend.of(report), drawn_rows(report)
    extractors = extractor_charts(report, legend.grouping, map_rows)
    shown_extractors = extractors[:MAX_EXTRACTORS]
    examples = example_rows(report.hardest_pairs[:MAX_PAIRS], report.label_issues[:SHOWN_ISSUES])
    thumbnails = make_thumbnails(photos, map_rows.tolist(), examples)
    marks = {
        linked: svg_charts.map_marks(
            shown_extractors, legend.grouping, svg_charts.MarkTexts.of(report, thumbnails.cells, linked=linked)
        )
        for linked in {False, bool(report.study_id)}
    }
    css, script = css_colours() + _read("report.css"), _read("report.js")
    parts = _Parts(report, shown_extractors, legend, marks, thumbnails, css, script)
    files = {"report.css": css.encode(), "report.js": script.encode()}
    if thumbnails.sheet:
        files[SHEET_FILE] = thumbnails.sheet
    languages = [ReportLanguage(code) for code in LANGUAGES]
    for words in languages:
        files[f"report.{words.code}.html"] = _page("file.html", parts, words, linked=False)
        files[f"body.{words.code}.html"] = _page("body.html", parts, words, linked=bool(report.study_id))
    files |= {f"tables/{name}": content for name, content in csv_tables(report).items()}
    files |= {
        f"figures/{name}": content for name, content in png_charts.draw_charts(report, extractors, legend, languages)
    }
    return files


def _page(template: str, parts: _Parts, words: ReportLanguage, *, linked: bool) -> bytes:
    variables = {
        **_page_variables(parts, words, linked=linked),
        **_page_charts(parts, words, linked=linked),
        **_page_tables(parts.report),
        "standalone": template == "file.html",
    }
    return _environment().get_template(template).render(variables).encode()


def _page_variables(parts: _Parts, words: ReportLanguage, *, linked: bool) -> Mapping[str, Any]:
    """The template variables of the page itself: report, words, files, style and script."""
    report, thumbnails = parts.report, parts.thumbnails
    files = f"/studies/{report.study_id}/files/"
    sheet = files + SHEET_FILE if linked else Markup(thumbnails.sheet_uri)  # noqa: S704 (base64)
    return {
        "w": words,
        "report": report,
        "rows": report.rows,
        "modalities": list(Modality),
        "linked": linked,
        "files": files,
        "sheet": sheet if thumbnails.sheet else "",
        "cell": CELL,
        "columns": COLUMNS,
        "examples": thumbnails.examples,
        "slug": slug,
        "shorten": shorten,
        "css": Markup(parts.css),  # noqa: S704 (a file of this package)
        "js": Markup(parts.script),  # noqa: S704 (a file of this package)
        "css_hash": _digest(parts.css),
        "js_hash": _digest(parts.script),
    }


def _page_charts(parts: _Parts, words: ReportLanguage, *, linked: bool) -> Mapping[str, Any]:
    """The template variables of the charts."""
    report = parts.report
    return {
        "svg": svg_charts,
        "modality_marks": MODALITY_MARKS,
        "rankings": [
            (protocol, charts.ranking_chart(report, protocol, words), rankings.ranked_trials(report, protocol))
            for protocol in PROTOCOLS
        ],
        "extractors": parts.extractors,
        "legend": parts.legend,
        "map_marks": parts.marks[linked],
        "heatmap": svg_charts.HeatmapLayout.of(report.categories),
        "shown_recall": SHOWN_RECALL,
        "curve": charts.learning_curve_chart(report, words),
        "trend": charts.trend_chart(report, words),
        "verdict": verdict_text(report, words),
        "key_figures": key_figures(report, words),
    }


def _page_tables(report: StudyReport) -> Mapping[str, Any]:
    """The template variables of the tables, in the order of the page."""
    trained = [figures for figures in report.supervised if figures.accuracy]
    costs = rankings.costs(report)
    return {
        "clusterings": [
            (protocol, groups) for protocol in PROTOCOLS if (groups := rankings.grouped_clusterings(report, protocol))
        ],
        "pairs": report.hardest_pairs[:MAX_PAIRS],
        "feasibility": rankings.feasibility_lines(report),
        "trained": trained[0] if trained else None,
        "best_accuracy": max((figures.accuracy.mean for figures in trained if figures.accuracy), default=None),
        "issues": report.label_issues,
        "shown_issues": SHOWN_ISSUES,
        "listed_issues": LISTED_ISSUES,
        "costs": costs,
        "longest": max((cost.trial.seconds or 0 for cost in costs), default=0) or 1,
        "missing": rankings.missing(report),
        "this_best": report.assessment.best_ari(),
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


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""The report's numbers as CSV: one file for each table and each chart, harmless in spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.study import Spread
from pipeline.domain.study_report import StudyReport

# A spreadsheet takes a text that begins like this for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
SPREAD_COLUMNS = ("mean", "std", "low", "high")
LISTING = ("key", "listing_id", "name")
Line = Sequence[Any]


def csv_tables(report: StudyReport) -> dict[str, bytes]:
    """CSV files by name, without folder."""
    tables: dict[str, list[Line]] = {
        "trials": _trials(report),
        "categories": [("category", "listings"), *zip(report.categories, report.counts, strict=True)],
        "recall": _recall(report),
        "hardest_pairs": _hardest_pairs(report),
        "clusterings": _clusterings(report),
        "supervised": _supervised(report),
        "learning_curve": _learning_curve(report),
        "wrong_shelves": _label_issues(report),
        "levels": _levels(report),
        "trend": _trend(report),
    }
    for name, matrix in report.matrices.items():
        rows = zip(report.categories, matrix.matrix, strict=True)
        lines = [(category, *counts) for category, counts in rows]
        tables[f"matrix_{slug(name)}"] = [("category", *report.categories), *lines]
    for name in report.maps:
        tables[f"map_{slug(name)}"] = _map(report, name)
    return {f"{name}.csv": write_csv(lines) for name, lines in tables.items()}


def write_csv(lines: Iterable[Line]) -> bytes:
    """CSV as UTF-8; with a byte order mark where there is more than ASCII, which Excel would misread without it."""
    stream = io.StringIO()
    csv.writer(stream).writerows([_cell(value) for value in line] for line in lines)
    text = stream.getvalue()
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def slug(name: str) -> str:
    """A name fit for files: ``word2vec+fisher`` stays, anything unusual becomes ``_``."""
    return re.sub(r"[^A-Za-z0-9_+-]+", "_", name)[:48]


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers."""
    value = str(value) if isinstance(value, Reason) else value
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" \u00a0\n").startswith(FORMULA) or value.startswith(FORMULA) else value
    return "" if value is None else value


def _trials(report: StudyReport) -> list[Line]:
    figures = ("ami", "v_measure", "silhouette", "accuracy", "n", "dimensions", "seconds", "memory", "reused")
    head = ("extractor", "modality", "protocol", "method", *_spread_names("ari"), *figures, "status", "reason")
    return [head, *(_line(trial, head, {"ari": trial.ari}) for trial in report.trials)]


def _clusterings(report: StudyReport) -> list[Line]:
    head = ["extractor", "modality", "protocol", "method", *_spread_names("ari")]
    head += ["clusters", "noise", "n", "of", "seconds", "status", "reason"]
    return [head, *(_line(result, head, {"ari": result.ari}, of=result.total) for result in report.clusterings)]


def _supervised(report: StudyReport) -> list[Line]:
    head = ["extractor", "modality", "evidence", *_spread_names("accuracy"), *_spread_names("macro_f1")]
    head += ["n", "folds", "repeats", "seconds", "status", "reason"]
    return [
        head,
        *(
            _line(each, head, {"accuracy": each.accuracy, "macro_f1": each.macro_f1}, evidence=" ".join(each.evidence))
            for each in report.supervised
        ),
    ]


def _learning_curve(report: StudyReport) -> list[Line]:
    head = ("modality", "per_category", *_spread_names("accuracy"))
    return [head, *(_line(point, head, {"accuracy": point.accuracy}) for point in report.learning_curve)]


def _levels(report: StudyReport) -> list[Line]:
    head = ("level", "categories", "enough", "studied", *(f"ari_{modality}" for modality in Modality))
    return [
        head,
        *(
            (each.level, each.categories, each.enough, each.studied, *(each.ari[modality] for modality in Modality))
            for each in report.levels
        ),
    ]


def _trend(report: StudyReport) -> list[Line]:
    head = ("study_id", "created_at", "fingerprint", "listings", "verdict")
    return [
        (*head, *Modality),
        *((*_line(each, head), *((each.best or {}).get(modality) for modality in Modality)) for each in report.trend),
    ]


def _recall(report: StudyReport) -> list[Line]:
    by_name = report.matrices
    columns = [report.categories, report.counts, *(matrix.recall for matrix in by_name.values())]
    return [("category", "listings", *by_name), *zip(*columns, strict=True)]


def _hardest_pairs(report: StudyReport) -> list[Line]:
    lines: list[Line] = []
    for pair in report.hardest_pairs:
        start = (pair.extractor, pair.a, pair.b, pair.confused, pair.share)
        examples = [
            (each.row, *_listing(report, each.row), each.given, each.clustered_as, report.attribution_of(each.row))
            for each in pair.examples
        ]
        lines += [(*start, *each) for each in examples] or [start]
    head = ("extractor", "a", "b", "confused", "share", "row", *LISTING, "given", "said", "attribution")
    return [head, *lines]


def _label_issues(report: StudyReport) -> list[Line]:
    most = max((len(issue.neighbours) for issue in report.label_issues), default=0)
    head = ["rank", "row", *LISTING, "given", "proposed", "confidence", "given_confidence", "score"]
    for number in range(1, most + 1):
        head += [f"neighbour_{number}", f"neighbour_{number}_category", f"neighbour_{number}_similarity"]
    lines = []
    for rank, issue in enumerate(report.label_issues, 1):
        line = [rank, issue.row, *_listing(report, issue.row), issue.given, issue.proposed]
        line += [issue.confidence, issue.given_confidence, issue.score]
        for neighbour in issue.neighbours:
            line += [report.rows[neighbour.row].name, neighbour.category, neighbour.similarity]
        line += [None] * (3 * (most - len(issue.neighbours)))
        lines.append([*line, issue.attribution])
    return [[*head, "attribution"], *lines]


def _map(report: StudyReport, name: str) -> list[Line]:
    lines: list[Line] = [("row", *LISTING, "category", "cluster", "x", "y", "attribution")]
    trial_map, categories = report.maps[name], report.categories
    for row, (x, y), cluster in zip(trial_map.rows, trial_map.points, trial_map.clusters, strict=True):
        category = categories[report.rows[row].category]
        attribution = report.attribution_of(row)
        lines.append((row, *_listing(report, row), category, categories[cluster], x, y, attribution))
    return lines


def _line(
    record: object, head: Sequence[str], spreads: Mapping[str, Spread | None] | None = None, **given: Any
) -> Line:
    """The values of the columns of ``head``: those given, the parts of spreads, else the record's fields."""
    values = dict(given)
    for name, spread in (spreads or {}).items():
        values |= {f"{name}_{part}": getattr(spread, part) if spread else None for part in SPREAD_COLUMNS}
    return [values[name] if name in values else getattr(record, name) for name in head]


def _listing(report: StudyReport, row: int) -> Line:
    listing = report.rows[row]
    return listing.key, listing.listing_id, listing.name


def _spread_names(name: str) -> list[str]:
    return [f"{name}_{part}" for part in SPREAD_COLUMNS]

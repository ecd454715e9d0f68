"""The report's numbers as CSV files, one per table or chart, protected against formula injection in spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.domain.csv_cells import guard_formula
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.study import Spread
from pipeline.domain.study_report import StudyReport

SPREAD_COLUMNS = ("mean", "std", "low", "high")
LISTING_COLUMNS = ("key", "listing_id", "name")
Line = Sequence[Any]


def csv_tables(report: StudyReport) -> dict[str, bytes]:
    """The CSV files of a report by file name."""
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
        category_rows = [(category, *counts) for category, counts in rows]
        tables[f"matrix_{slug(name)}"] = [("category", *report.categories), *category_rows]
    for name in report.maps:
        tables[f"map_{slug(name)}"] = _map(report, name)
    return {f"{name}.csv": write_csv(category_rows) for name, category_rows in tables.items()}


def write_csv(lines: Iterable[Line]) -> bytes:
    """CSV as UTF-8; with a byte order mark if there is non-ASCII text, which Excel would misread without it."""
    stream = io.StringIO()
    csv.writer(stream).writerows([_cell(value) for value in line] for line in lines)
    text = stream.getvalue()
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def slug(name: str) -> str:
    """A name made safe for file names: ``word2vec+fisher`` stays, other characters become ``_``."""
    return re.sub(r"[^A-Za-z0-9_+-]+", "_", name)[:48]


def _cell(value: Any) -> Any:
    """The value of a cell; a text that a spreadsheet would take for a formula is prefixed with an apostrophe."""
    value = str(value) if isinstance(value, Reason) else value
    if isinstance(value, str):
        return guard_formula(value)
    return "" if value is None else value


def _trials(report: StudyReport) -> list[Line]:
    figures = ("ami", "v_measure", "silhouette", "accuracy", "n", "dimensions", "seconds", "memory", "reused")
    header = ("extractor", "modality", "protocol", "method", *_spread_names("ari"), *figures, "status", "reason")
    return [header, *(_line(trial, header, {"ari": trial.ari}) for trial in report.trials)]


def _clusterings(report: StudyReport) -> list[Line]:
    header = ["extractor", "modality", "protocol", "method", *_spread_names("ari")]
    header += ["clusters", "noise", "n", "of", "seconds", "status", "reason"]
    return [header, *(_line(result, header, {"ari": result.ari}, of=result.total) for result in report.clusterings)]


def _supervised(report: StudyReport) -> list[Line]:
    header = ["extractor", "modality", "evidence", *_spread_names("accuracy"), *_spread_names("macro_f1")]
    header += ["n", "folds", "repeats", "seconds", "status", "reason"]
    return [
        header,
        *(
            _line(
                figures,
                header,
                {"accuracy": figures.accuracy, "macro_f1": figures.macro_f1},
                evidence=" ".join(figures.evidence),
            )
            for figures in report.supervised
        ),
    ]


def _learning_curve(report: StudyReport) -> list[Line]:
    header = ("modality", "per_category", *_spread_names("accuracy"))
    return [header, *(_line(point, header, {"accuracy": point.accuracy}) for point in report.learning_curve)]


def _levels(report: StudyReport) -> list[Line]:
    header = ("level", "categories", "enough", "studied", *(f"ari_{modality}" for modality in Modality))
    return [
        header,
        *(
            (
                level_figures.level,
                level_figures.categories,
                level_figures.enough,
                level_figures.studied,
                *(level_figures.ari[modality] for modality in Modality),
            )
            for level_figures in report.levels
        ),
    ]


def _trend(report: StudyReport) -> list[Line]:
    header = ("study_id", "created_at", "fingerprint", "listings", "verdict")
    return [
        (*header, *Modality),
        *(
            (*_line(study, header), *((study.best or {}).get(modality) for modality in Modality))
            for study in report.trend
        ),
    ]


def _recall(report: StudyReport) -> list[Line]:
    matrices = report.matrices
    columns = [report.categories, report.counts, *(matrix.recall for matrix in matrices.values())]
    return [("category", "listings", *matrices), *zip(*columns, strict=True)]


def _hardest_pairs(report: StudyReport) -> list[Line]:
    lines: list[Line] = []
    for pair in report.hardest_pairs:
        pair_cells = (pair.extractor, pair.a, pair.b, pair.confused, pair.share)
        examples = [
            (
                example.row,
                *_listing_cells(report, example.row),
                example.given,
                example.clustered_as,
                report.attribution_of(example.row),
            )
            for example in pair.examples
        ]
        lines += [(*pair_cells, *example) for example in examples] or [pair_cells]
    header = ("extractor", "a", "b", "confused", "share", "row", *LISTING_COLUMNS, "given", "said", "attribution")
    return [header, *lines]


def _label_issues(report: StudyReport) -> list[Line]:
    max_neighbours = max((len(issue.neighbours) for issue in report.label_issues), default=0)
    header = ["rank", "row", *LISTING_COLUMNS, "given", "proposed", "confidence", "given_confidence", "score"]
    for index in range(1, max_neighbours + 1):
        header += [f"neighbour_{index}", f"neighbour_{index}_category", f"neighbour_{index}_similarity"]
    lines = []
    for rank, issue in enumerate(report.label_issues, 1):
        line = [rank, issue.row, *_listing_cells(report, issue.row), issue.given, issue.proposed]
        line += [issue.confidence, issue.given_confidence, issue.score]
        for neighbour in issue.neighbours:
            line += [report.rows[neighbour.row].name, neighbour.category, neighbour.similarity]
        line += [None] * (3 * (max_neighbours - len(issue.neighbours)))
        lines.append([*line, issue.attribution])
    return [[*header, "attribution"], *lines]


def _map(report: StudyReport, name: str) -> list[Line]:
    lines: list[Line] = [("row", *LISTING_COLUMNS, "category", "cluster", "x", "y", "attribution")]
    trial_map, categories = report.maps[name], report.categories
    for row, (x, y), cluster in zip(trial_map.rows, trial_map.points, trial_map.clusters, strict=True):
        category = categories[report.rows[row].category]
        attribution = report.attribution_of(row)
        lines.append((row, *_listing_cells(report, row), category, categories[cluster], x, y, attribution))
    return lines


def _line(
    record: object, header: Sequence[str], spreads: Mapping[str, Spread | None] | None = None, **overrides: Any
) -> Line:
    """The values of the columns of ``header``: overrides, the parts of spreads, else the record's fields."""
    values = dict(overrides)
    for name, spread in (spreads or {}).items():
        values |= {f"{name}_{part}": getattr(spread, part) if spread else None for part in SPREAD_COLUMNS}
    return [values[name] if name in values else getattr(record, name) for name in header]


def _listing_cells(report: StudyReport, row: int) -> Line:
    listing = report.rows[row]
    return listing.key, listing.listing_id, listing.name


def _spread_names(name: str) -> list[str]:
    return [f"{name}_{part}" for part in SPREAD_COLUMNS]

"""The report's numbers as CSV: one file for each table and each figure, harmless in spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
SPREAD = ("mean", "std", "low", "high")
MODALITIES = ("text", "image", "fused")


def tables(report: dict[str, Any]) -> dict[str, bytes]:
    """CSV files by name, without folder."""
    rows, names = report["rows"], report["categories"]
    found: dict[str, list[list[Any]]] = {
        "trials": _trials(report),
        "categories": [["category", "listings"], *map(list, zip(names, report["counts"], strict=True))],
        "recall": _recall(report),
        "hardest_pairs": _pairs(report),
        "clusterings": _clusterings(report),
        "supervised": _supervised(report),
        "learning_curve": [
            ["modality", "per_category", *_spread_names("accuracy")],
            *([p["modality"], p["per_category"], *_spread(p["accuracy"])] for p in report["learning_curve"]),
        ],
        "wrong_shelves": _shelves(report),
        "levels": [
            ["level", "categories", "enough", "studied", *(f"ari_{m}" for m in MODALITIES)],
            *(
                [e["level"], e["categories"], e["enough"], e["studied"], *(e["ari"][m] for m in MODALITIES)]
                for e in report.get("levels", [])
            ),
        ],
        "trend": [
            ["study_id", "created_at", "fingerprint", "listings", "verdict", *MODALITIES],
            *(
                [s["study_id"], s["created_at"], s["fingerprint"], s["listings"], s["verdict"]]
                + [(s["best"] or {}).get(m) for m in MODALITIES]
                for s in report["trend"]
            ),
        ],
    }
    for name, matrix in report["matrices"].items():
        lines = [[names[i], *counts] for i, counts in enumerate(matrix["matrix"])]
        found[f"matrix_{slug(name)}"] = [["category", *names], *lines]
    for name, picture in report["pictures"].items():
        lines = []
        for row, (x, y), cluster in zip(picture["rows"], picture["points"], picture["clusters"], strict=True):
            one = rows[row]
            lines.append([row, *_who(one), names[one["category"]], names[cluster], x, y, _due(report, one)])
        head = ["row", "key", "listing_id", "name", "category", "cluster", "x", "y", "attribution"]
        found[f"map_{slug(name)}"] = [head, *lines]
    return {f"{name}.csv": write(lines) for name, lines in found.items()}


def write(lines: Iterable[Sequence[Any]]) -> bytes:
    """CSV as UTF-8; with a byte order mark where there is more than ASCII, which Excel would misread without."""
    written = io.StringIO()
    csv.writer(written).writerows([_cell(value) for value in line] for line in lines)
    text = written.getvalue()
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def slug(name: str) -> str:
    """A name fit for files: ``word2vec+fisher`` stays, anything strange becomes ``_``."""
    return re.sub(r"[^A-Za-z0-9_+-]+", "_", name)[:48]


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers."""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" \u00a0\n").startswith(FORMULA) or value.startswith(FORMULA) else value
    return "" if value is None else value


def _trials(report: dict[str, Any]) -> list[list[Any]]:
    figures = ("ami", "v_measure", "silhouette", "accuracy", "n", "dimensions", "seconds", "memory", "reused")
    head = ["extractor", "modality", "protocol", "method", *_spread_names("ari"), *figures, "status", "reason"]
    lines = [
        [t["extractor"], t["modality"], t["protocol"], t["method"], *_spread(t["ari"])]
        + [t.get(f) for f in figures]
        + [t["status"], t["reason"]]
        for t in report["trials"]
    ]
    return [head, *lines]


def _clusterings(report: dict[str, Any]) -> list[list[Any]]:
    figures = ("clusters", "noise", "n", "of", "seconds", "status", "reason")
    head = ["extractor", "modality", "protocol", "method", *_spread_names("ari"), *figures]
    lines = [
        [c["extractor"], c["modality"], c["protocol"], c["method"], *_spread(c["ari"]), *(c[f] for f in figures)]
        for c in report.get("clusterings", [])
    ]
    return [head, *lines]


def _recall(report: dict[str, Any]) -> list[list[Any]]:
    by_name = report["matrices"]
    lines = [
        [category, report["counts"][i], *(by_name[name]["recall"][i] for name in by_name)]
        for i, category in enumerate(report["categories"])
    ]
    return [["category", "listings", *by_name], *lines]


def _pairs(report: dict[str, Any]) -> list[list[Any]]:
    lines = []
    for pair in report["hardest_pairs"]:
        start = [pair["extractor"], pair["a"], pair["b"], pair["confused"], pair["share"]]
        shown = [(e, report["rows"][e["row"]]) for e in pair["examples"]]
        examples = [[e["row"], *_who(one), e["given"], e["said"], _due(report, one)] for e, one in shown]
        lines += [start + e for e in examples] or [start]
    head = [
        "extractor",
        "a",
        "b",
        "confused",
        "share",
        "row",
        "key",
        "listing_id",
        "name",
        "given",
        "said",
        "attribution",
    ]
    return [head, *lines]


def _supervised(report: dict[str, Any]) -> list[list[Any]]:
    head = ["extractor", "modality", "evidence", *_spread_names("accuracy"), *_spread_names("macro_f1")]
    rest = ("n", "folds", "repeats", "seconds", "status", "reason")
    lines = [
        [s["extractor"], s["modality"], " ".join(s["evidence"]), *_spread(s["accuracy"]), *_spread(s["macro_f1"])]
        + [s.get(r) for r in rest]
        for s in report["supervised"]
    ]
    return [[*head, *rest], *lines]


def _shelves(report: dict[str, Any]) -> list[list[Any]]:
    most = max((len(s["neighbours"]) for s in report["wrong_shelves"]), default=0)
    head = ["rank", "row", "key", "listing_id", "name", "given", "proposed", "confidence", "given_confidence", "score"]
    for i in range(1, most + 1):
        head += [f"neighbour_{i}", f"neighbour_{i}_category", f"neighbour_{i}_similarity"]
    head.append("attribution")
    lines = []
    for rank, s in enumerate(report["wrong_shelves"], 1):
        line = [rank, s["row"], *_who(report["rows"][s["row"]]), s["given"], s["proposed"]]
        line += [s["confidence"], s["given_confidence"], s["score"]]
        for i in range(most):
            n = s["neighbours"][i] if i < len(s["neighbours"]) else None
            line += [report["rows"][n["row"]]["name"], n["category"], n["similarity"]] if n else [None] * 3
        line.append(s.get("attribution"))
        lines.append(line)
    return [head, *lines]


def _who(row: dict[str, Any]) -> list[Any]:
    return [row["key"], row["listing_id"], row["name"]]


def _due(report: dict[str, Any], row: dict[str, Any]) -> str | None:
    place = row.get("attribution")
    return None if place is None else report["attributions"][place]


def _spread(spread: dict[str, float] | None) -> list[float | None]:
    return [spread[part] if spread else None for part in SPREAD]


def _spread_names(name: str) -> list[str]:
    return [f"{name}_{part}" for part in SPREAD]

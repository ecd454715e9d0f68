"""Trials and estimators in the order and the shape in which tables and charts show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Where 0 and 1 stand on a chart, in percent of its width: room for half a mark and half a label at both ends.
LEFT, RIGHT = 4.0, 96.0


@dataclass(frozen=True, slots=True)
class FeasibilityLine:
    """One line of the table of feasibility and quality: ``trial`` of protocol B or None, ``line`` or None."""

    extractor: str
    modality: str
    trial: Row | None
    line: Row | None
    lines: int  # how many lines the extractor has, on the first of them; 0 on the others


def ranked(report: Row, protocol: str) -> list[Row]:
    """The trials of a protocol that are done, best ARI first."""
    rows = [t for t in report["trials"] if t["protocol"] == protocol and t["ari"] is not None]
    return sorted(rows, key=lambda t: -t["ari"]["mean"])


def order(report: Row) -> list[str]:
    """Extractors with a map or a matrix, best of protocol B first."""
    first = [t["extractor"] for t in ranked(report, "B")]
    known = [*dict.fromkeys([*first, *report["pictures"], *report["matrices"]])]
    return [name for name in known if name in report["pictures"] or name in report["matrices"]]


def across(value: float) -> str:
    """Where a figure from 0 to 1 stands on a chart, as a percentage of its width; beyond is put on the edge."""
    return f"{LEFT + (RIGHT - LEFT) * min(max(value, -0.02), 1.0):.2f}%"


def judged(report: Row) -> list[FeasibilityLine]:
    """Extractors of protocol B with what was trained on them; one line for each, and for each set of evidence."""
    trials = {t["extractor"]: t for t in ranked(report, "B") if t["method"] == "kmeans"}
    by_name: dict[str, list[Row]] = {name: [] for name in trials}
    for line in report["supervised"]:
        by_name.setdefault(line["extractor"], []).append(line)
    found = []
    for name, lines in by_name.items():
        trial = trials.get(name)
        modality = (trial or lines[0])["modality"]
        for i, line in enumerate(lines or [None]):
            count = max(len(lines), 1) if i == 0 else 0
            found.append(FeasibilityLine(name, modality, trial, line, count))
    return found


def compared(report: Row, protocol: str) -> list[list[Row]]:
    """The ways to cluster under a protocol by what they were tried on; older studies have none."""
    found: dict[str, list[Row]] = {}
    for row in report.get("clusterings", ()):
        if row["protocol"] == protocol:
            found.setdefault(row["extractor"], []).append(row)
    return list(found.values())


def costs(report: Row) -> list[Row]:
    """Time and memory by extractor, slowest first: the row of protocol B with ``seconds_A`` beside."""
    at_a = {t["extractor"]: t for t in report["trials"] if t["protocol"] == "A" and t["status"] == "done"}
    rows = [t for t in report["trials"] if t["protocol"] == "B" and t["status"] == "done" and t["method"] == "kmeans"]
    found = []
    for row in rows:
        other = at_a.get(row["extractor"], {})
        # The features' own dimensions are those of protocol A; B works on a map of two.
        found.append({**row, "seconds_A": other.get("seconds"), "dimensions": other.get("dimensions")})
    return sorted(found, key=lambda t: -(t["seconds"] or 0))


def missing(report: Row) -> list[Row]:
    """Trials and estimators that did not end well, one for each reason: extractor, modality, status, reason."""
    found: dict[tuple[str, str, str | None], Row] = {}
    for row in [*report["trials"], *report["supervised"]]:
        if row["status"] != "done":
            found.setdefault((row["extractor"], row["status"], row["reason"]), row)
    return list(found.values())

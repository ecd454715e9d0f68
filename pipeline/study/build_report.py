"""Conclude: what the stages found becomes the report, the one structure that pages, files and the API read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.prediction import Modality
from pipeline.domain.study import TrialStatus
from pipeline.study import label_issues, level_comparison
from pipeline.study.study_steps import SupervisedResult
from pipeline.study.supervised import unavailable
from pipeline.study.verdict import Bars, judge

if TYPE_CHECKING:
    from pipeline.study.study_run import StudyRun

Progress = Callable[[float, str], None]
Row = dict[str, Any]
FORMAT = 1
LIBRARIES = ("numpy", "scipy", "scikit-learn", "gensim", "openTSNE", "opencv-python-headless", "openvino", "tensorflow")
MOST_PAIRS = 8
MOST_EXAMPLES = 4


def build_report(
    course: StudyRun,
    subject: str,
    study_id: int | None,
    created_at: datetime,
    past: Sequence[Mapping[str, Any]],
    trials: Mapping[str, Mapping[str, Any]],
    judged: Mapping[str, SupervisedResult],
    clusterings: Sequence[Row],
    seconds: float | None,
    progress: Progress,
    bars: Bars | None = None,
) -> Row:
    """The report. ``trials``, ``judged`` and ``clusterings`` are what was kept of each; ``past`` are earlier studies,
    oldest first.
    """
    studied = course.studied
    kinds = len(studied.categories)
    rows = [row for kept in trials.values() for row in kept["rows"]]
    supervised = [row for found in judged.values() for row in found.rows]
    verdict, findings = judge(rows, supervised, bars or Bars())
    if course.plan.repeats:
        supervised += untried(trials)
    pictures = {name: kept["picture"] for name, kept in trials.items() if kept.get("picture")}
    matrices = {name: kept["matrix"] for name, kept in trials.items() if kept.get("matrix")}
    shelves = label_issues.find(judged, studied.labels, studied.categories, course.features(), progress)
    spent = seconds
    if spent is None:
        by_extractor = {row["extractor"]: row["seconds"] or 0.0 for row in rows if row["protocol"] == "B"}
        spent = sum(by_extractor.values()) + sum(row.get("seconds") or 0.0 for row in [*supervised, *clusterings])
    return {
        "format": FORMAT,
        "subject": subject,
        "study_id": study_id,
        "created_at": created_at.isoformat(),
        "level": studied.level,
        "levels": level_comparison.compare(studied.paths, studied.level, pictures, rows),
        "categories": list(studied.categories),
        "counts": np.bincount(studied.labels, minlength=kinds).tolist(),
        "listings": studied.listings,
        "studied": len(studied.labels),
        "without_photo": _without(course, "image", len(studied.labels)),
        "without_text": sum(not evidence.has_text for evidence in studied.texts),
        "fingerprint": studied.fingerprint,
        "seeds": list(course.plan.seeds),
        "perplexity": course.plan.perplexity,
        "libraries": _libraries(),
        "seconds": round(spent, 3),
        "verdict": verdict.value,
        "findings": findings,
        "trials": rows,
        "pictures": pictures,
        "matrices": matrices,
        "hardest_pairs": hardest_pairs(studied.categories, studied.labels, pictures, matrices, rows),
        "clusterings": list(clusterings),
        "supervised": supervised,
        "learning_curve": [point for found in judged.values() for point in found.curve],
        "wrong_shelves": [shelf | {"attribution": attribution(shelf, studied.attributions)} for shelf in shelves],
        "attributions": studied.due_to(),
        "rows": studied.rows(),
        "trend": [dict(earlier) for earlier in past],
    }


def attribution(shelf: Row, known: Sequence[str | None]) -> str | None:
    """Whom a wrong shelf is due to: the listing and its neighbours, each source once; None where nobody asks for it."""
    named = [known[row] for row in (shelf["row"], *(near["row"] for near in shelf["neighbours"]))] if known else []
    return " ".join(dict.fromkeys(filter(None, named))) or None


def untried(trials: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Rows of ``supervised`` for extractors whose trial could not be done: nothing was trained on them, and why."""
    found = []
    for name, kept in trials.items():
        row = kept["rows"][0]
        if row["status"] != TrialStatus.DONE and row["modality"] != Modality.FUSED:
            text, images = (name, []) if row["modality"] == Modality.TEXT else (None, [name])
            found.append(unavailable(text, images, False, TrialStatus(row["status"]), row["reason"]))
    return found


def hardest_pairs(
    categories: Sequence[str],
    labels: Sequence[int] | NDArray[np.int64],
    pictures: Mapping[str, Row],
    matrices: Mapping[str, Row],
    rows: Sequence[Row],
) -> list[Row]:
    """Pairs of categories that the best extractor's clusters confuse most, with listings that show it.

    ``share`` is of the listings of both. The best is that of the highest mean ARI under protocol B.
    """
    done = [row for row in rows if row["protocol"] == "B" and row["status"] == TrialStatus.DONE]
    done = [row for row in done if row["extractor"] in matrices and row["extractor"] in pictures]
    if not done:
        return []
    name = max(done, key=lambda row: float(row["ari"]["mean"]))["extractor"]
    table = np.asarray(matrices[name]["matrix"])
    totals = table.sum(axis=1)
    both = table + table.T
    upper = [(int(both[a, b]), a, b) for a in range(len(table)) for b in range(a + 1, len(table)) if both[a, b]]
    picture = pictures[name]
    found = []
    for confused, a, b in sorted(upper, key=lambda each: (-each[0], each[1], each[2]))[:MOST_PAIRS]:
        examples = [
            {"row": row, "given": categories[labels[row]], "said": categories[said]}
            for row, said in zip(picture["rows"], picture["clusters"], strict=True)
            if {int(labels[row]), said} == {a, b}
        ]
        found.append(
            {
                "extractor": name,
                "a": categories[a],
                "b": categories[b],
                "confused": confused,
                "share": confused / int(totals[a] + totals[b]),
                "examples": examples[:MOST_EXAMPLES],
            }
        )
    return found


def _without(course: StudyRun, modality: str, count: int) -> int:
    """How many studied listings have no usable photo, by the features at hand; all of them when nobody looked."""
    known = [features.has for features in course.features().values() if features.modality == modality]
    if known:
        return int(count - np.logical_or.reduce(known).sum())
    return sum(evidence.photo is None for evidence in course.studied.photos)


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

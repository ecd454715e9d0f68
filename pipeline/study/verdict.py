"""The verdict of a study against plain thresholds, and the findings it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.prediction import Modality
from pipeline.domain.study import Feasibility, Protocol, TrialStatus

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bars:
    """From which adjusted Rand index (protocol B) and held-out accuracy a catalogue counts as feasible, or promising.

    Either figure may carry a verdict: groups that emerge unasked, or a classifier that answers rightly; a study with
    supervised figures is judged by both, and ``feasible`` needs the accuracy.
    """

    ari_feasible: float = 0.5
    ari_promising: float = 0.25
    accuracy_feasible: float = 0.85
    accuracy_promising: float = 0.7


def judge(trials: Sequence[Row], supervised: Sequence[Row], bars: Bars = Bars()) -> tuple[Feasibility, list[Row]]:
    """The verdict, and the findings as the report has them: best extractors, best estimator, thresholds."""
    findings: list[Row] = []
    best_ari: float | None = None
    for modality in Modality:
        best = _best_trial(trials, modality)
        if best is not None:
            ari = float(best["ari"]["mean"])
            best_ari = ari if best_ari is None else max(best_ari, ari)
            findings.append(
                {
                    "code": f"best_{modality.value}",
                    "extractor": best["extractor"],
                    "ari": ari,
                    "accuracy": best["accuracy"],
                }
            )
    trained = max(
        (row for row in supervised if row["status"] == TrialStatus.DONE and row.get("accuracy")),
        key=lambda row: float(row["accuracy"]["mean"]),
        default=None,
    )
    accuracy = None
    if trained is not None:
        accuracy = float(trained["accuracy"]["mean"])
        findings.append(
            {
                "code": "supervised",
                "extractor": trained["extractor"],
                "modality": trained["modality"],
                "accuracy": accuracy,
            }
        )
    findings.append({"code": "threshold"} | {name: getattr(bars, name) for name in Bars.__slots__})
    return _verdict(best_ari, accuracy, bars), findings


def _verdict(ari: float | None, accuracy: float | None, bars: Bars) -> Feasibility:
    if accuracy is not None:
        if accuracy >= bars.accuracy_feasible:
            return Feasibility.FEASIBLE
        good = accuracy >= bars.accuracy_promising or (ari is not None and ari >= bars.ari_feasible)
        return Feasibility.PROMISING if good else Feasibility.NOT_FEASIBLE
    if ari is None:
        return Feasibility.NOT_FEASIBLE
    if ari >= bars.ari_feasible:
        return Feasibility.FEASIBLE
    return Feasibility.PROMISING if ari >= bars.ari_promising else Feasibility.NOT_FEASIBLE


def _best_trial(trials: Sequence[Row], modality: Modality) -> Row | None:
    mine = [
        row
        for row in trials
        if row["modality"] == modality
        and row["protocol"] == Protocol.B
        and row["status"] == TrialStatus.DONE
        and row.get("ari")
    ]
    return max(mine, key=lambda row: float(row["ari"]["mean"]), default=None)

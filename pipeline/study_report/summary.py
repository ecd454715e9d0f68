"""The answer of a report in a few sentences, and the figures it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.localisation.language import NONE
from pipeline.study_report.language import Language

MODALITIES = ("text", "image", "fused")


@dataclass(frozen=True, slots=True)
class VerdictText:
    """A verdict for people: what, why (sentences), and what to do next."""

    verdict: str
    headline: str
    reasons: tuple[str, ...]
    thresholds: str
    advice: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One key figure: its heading, its number, what the number is, and the change since the study before."""

    heading: str
    number: str
    what: str
    change: str = ""
    rising: bool = True


def answer(report: dict[str, Any], words: Language) -> VerdictText:
    """Put the verdict and its findings into words."""
    verdict, found = report["verdict"], findings(report)
    groups = [f for m in MODALITIES if (f := found.get(f"best_{m}")) and f.get("ari") is not None]
    reasons = []
    limits, thresholds = found.get("threshold", {}), ""
    trained = found.get("supervised") or {}
    if trained.get("accuracy") is not None:
        accuracy = words.percent(trained["accuracy"])
        reasons.append(words("reason_supervised", modality=words(trained["modality"]), accuracy=accuracy))
    if groups:
        best = max(groups, key=lambda f: float(f["ari"]))
        enough = best["ari"] >= (limits.get("ari_feasible") or 0.5)
        key = "reason_groups" if enough else "reason_groups_low"
        reasons.append(words(key, extractor=words.extractor(best["extractor"]), ari=words.decimal(best["ari"])))
    # What was trained decides where anything was; the groups found without labels, where nothing was.
    if trained.get("accuracy") is not None and limits.get("accuracy_feasible") is not None:
        thresholds = words("threshold_accuracy", accuracy=words.percent(limits["accuracy_feasible"]))
    elif groups and limits.get("ari_feasible") is not None:
        thresholds = words("threshold_ari", ari=words.decimal(limits["ari_feasible"]))
    advice = words(f"next_{verdict}")
    doubtful = len(report["wrong_shelves"])
    if doubtful and verdict == "feasible":
        advice += " " + words("next_shelves", n=doubtful)
    return VerdictText(
        verdict, words(f"headline_{verdict}"), tuple(reasons or [words("reason_nothing")]), thresholds, advice
    )


def tiles(report: dict[str, Any], words: Language) -> list[Tile]:
    """Text, photo, both, trained; a figure that was not studied shows a dash."""
    found = findings(report)
    last = report["trend"][-1] if report["trend"] else None
    shown = []
    for modality in MODALITIES:
        heading = words(f"best_{modality}")
        best = found.get(f"best_{modality}")
        if not best or best.get("ari") is None:
            shown.append(Tile(heading, NONE, words("not_studied")))
            continue
        what = words("ari_by", extractor=words.extractor(best["extractor"]))
        before = (last["best"] or {}).get(modality) if last else None
        if last is None or before is None:
            shown.append(Tile(heading, words.decimal(best["ari"]), what))
            continue
        moved = best["ari"] - before
        change = f"{words.signed(moved)} {words('since', number=str(last['study_id']))}"
        shown.append(Tile(heading, words.decimal(best["ari"]), what, change, moved >= 0))
    trained = found.get("supervised") or {}
    what = words("right_unseen") if trained.get("accuracy") is not None else words("not_studied")
    return [*shown, Tile(words("best_supervised"), words.percent(trained.get("accuracy")), what)]


def findings(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The findings by their code."""
    return {finding["code"]: finding for finding in report.get("findings") or ()}


def is_weak(report: Mapping[str, Any]) -> bool:
    """Whether what was trained is less often right than a promising catalogue asks: it doubts many listings wrongly."""
    found = findings(report)
    accuracy = (found.get("supervised") or {}).get("accuracy")
    least = found.get("threshold", {}).get("accuracy_promising")
    return accuracy is not None and least is not None and bool(accuracy < least)

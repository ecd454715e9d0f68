"""Held-out figures of a model, of an evaluation, and of the extractor sets that were compared, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.domain.prediction import Modality
from workers.commands.terminal import say, say_table

COLUMNS = ("accuracy", "macro_f1", "calibration_error", "coverage", "precision")
HEADER = ("", "listings", "accuracy", "macro F1", "calibration error", "coverage", "precision")
SETS_HEADER = ("photos described by", "photos", "accuracy", "95 % interval", "ms a photo", "size", "")


def say_figures(metrics: Mapping[str, Any]) -> None:
    """A row for each modality; coverage and precision are those of assigned listings."""
    rows = []
    for modality in Modality:
        found = metrics.get(modality.value) or {}
        if found.get("n"):
            rows.append((modality.value, found["n"], *(_three(found.get(column)) for column in COLUMNS)))
    if not rows:
        say("no held-out figures are known")
        return
    say_table(HEADER, rows)


def say_evaluation(name: str, report: Mapping[str, Any]) -> None:
    """The report of an evaluation of the file ``name``, as ``rayon evaluate --json`` has it."""
    say(f"{name}, level {report['level']}, {len(report['categories'])} categories, seed {report['seed']}")
    say_figures(report)
    if gain := report.get("fused_less_text"):
        low, high = gain["low"], gain["high"]
        say(f"fused less text: {gain['mean']:+.4f} (95 %: {low:+.4f} to {high:+.4f}, {gain['n']} listings)")
    if unknown := report.get("strangers"):
        say(
            f"of categories that it does not know it assigns {unknown['assigned']:.3f} of the listings "
            f"({unknown['n']} listings, {len(unknown['categories'])} categories in turn)"
        )
    say(f"{report['seconds']:.0f} s")


def say_tried(metrics: Mapping[str, Any]) -> None:
    """A row for each set of photo extractors that was compared: its held-out accuracy, and its cost."""
    tried = metrics.get("tried")
    if not tried:
        return
    chosen = metrics.get("image_extractors")
    rows = []
    for row in tried:
        found = row["accuracy"]
        rows.append(
            (
                " + ".join(row["extractors"]),
                row["n"],
                f"{found['mean']:.3f}",
                f"{found['low']:.3f} to {found['high']:.3f}",
                f"{row['milliseconds']:.1f}",
                f"{row['size'] / 1_000_000:.1f} MB",
                "chosen" if row["extractors"] == chosen else "",
            )
        )
    say_table(SETS_HEADER, rows)


def say_views(metrics: Mapping[str, Any]) -> None:
    """Held-out accuracy with augmented views or a fine-tuned network, and without; nothing if neither was tried."""
    if found := metrics.get("augmentation"):
        _say_comparison(found, f"with {found['views']} views", found["augmented"])
    if found := metrics.get("finetuning"):
        _say_comparison(found, "fine-tuned", found["finetuned"])


def _say_comparison(found: Mapping[str, Any], name: str, other: Mapping[str, Any]) -> None:
    gain = found["difference"]
    say(
        f"photos alone {found['plain']['accuracy']['mean']:.3f}, {name} {other['accuracy']['mean']:.3f}: a difference "
        f"of {gain['mean']:+.3f} (95 %: {gain['low']:+.3f} to {gain['high']:+.3f}); "
        f"{'kept' if found['kept'] else 'left out'}"
    )


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"

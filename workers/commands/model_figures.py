"""Held-out figures of a model, and of the extractor sets that were compared, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.domain.prediction import Modality
from workers.commands.terminal import say, say_table

COLUMNS = ("accuracy", "macro_f1", "calibration_error", "coverage", "precision")
HEADER = ("", "listings", "accuracy", "macro F1", "calibration error", "coverage", "precision")


def say_figures(metrics: Mapping[str, Any]) -> None:
    """A row a modality; coverage and precision are those of the listings that were assigned."""
    rows = []
    for modality in Modality:
        found = metrics.get(modality.value) or {}
        if found.get("n"):
            rows.append((modality.value, found["n"], *(_three(found.get(column)) for column in COLUMNS)))
    if not rows:
        say("no held-out figures are known")
        return
    say_table(HEADER, rows)


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


TRIED_HEADER = ("photos described by", "photos", "accuracy", "95 % interval", "ms a photo", "size", "")


def say_tried(metrics: Mapping[str, Any]) -> None:
    """A row a set: how often it is right on photos it has not seen, beside what it costs; nothing if none was tried."""
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
    say_table(TRIED_HEADER, rows)


def say_views(metrics: Mapping[str, Any]) -> None:
    """Held-out accuracy with views of the photos, or with a fine-tuned network, and without; nothing if not tried."""
    if found := metrics.get("augmentation"):
        _say_compared(found, f"with {found['views']} views", found["augmented"])
    if found := metrics.get("finetuning"):
        _say_compared(found, "fine-tuned", found["finetuned"])


def _say_compared(found: Mapping[str, Any], what: str, other: Mapping[str, Any]) -> None:
    gain = found["difference"]
    say(
        f"photos alone {found['plain']['accuracy']['mean']:.3f}, {what} {other['accuracy']['mean']:.3f}: a difference "
        f"of {gain['mean']:+.3f} (95 %: {gain['low']:+.3f} to {gain['high']:+.3f}); "
        f"{'kept' if found['kept'] else 'left out'}"
    )

"""Held-out figures of a model, as a table."""

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

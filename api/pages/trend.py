"""The trend of a taxonomy's studies as a small chart: places across in percent, places down in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SERIES = ("text", "image", "fused")
TOP, BOTTOM = 12.0, 74.0
LEFT, RIGHT = 6.0, 94.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure of a study: where it stands, and what it says."""

    x: str
    y: float
    study_id: int
    value: float


def trend_lines(studies: Sequence[dict[str, Any]]) -> dict[str, list[Dot]]:
    """Best ARI of each modality over the concluded studies (given newest first); empty with fewer than two."""
    concluded = [study for study in reversed(studies) if study["best"]]
    values = [value for study in concluded for value in study["best"].values() if value is not None]
    if len(concluded) < 2 or not values:
        return {}
    low, high = min(values), max(values)
    height = max(high - low, 0.1)
    lines: dict[str, list[Dot]] = {}
    for modality in SERIES:
        for place, study in enumerate(concluded):
            value = study["best"].get(modality)
            if value is not None:
                x = LEFT + (RIGHT - LEFT) * place / (len(concluded) - 1)
                y = BOTTOM - (BOTTOM - TOP) * (value - low) / height
                lines.setdefault(modality, []).append(Dot(f"{x:.1f}%", round(y, 1), study["id"], value))
    return lines

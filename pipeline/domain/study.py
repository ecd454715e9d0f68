"""Study: whether a catalogue can be categorised automatically; Trial: one extractor under one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """How features are clustered: A, k-means on the reduced features; B, k-means on their 2-D t-SNE."""

    A = "A"
    B = "B"


class StudyStatus(StrEnum):
    """A study runs until it is concluded; it fails only when nothing of it can be had."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TrialStatus(StrEnum):
    """How a trial ended; ``unavailable`` is an extractor that lacks something here, and the reason says what to do."""

    WAITING = "waiting"
    DONE = "done"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class Feasibility(StrEnum):
    """The verdict of a study."""

    FEASIBLE = "feasible"
    PROMISING = "promising"
    NOT_FEASIBLE = "not_feasible"


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What to study. ``extractors`` empty means every row of the table; ``level`` None is found out.

    ``sample`` is the most listings studied, drawn evenly over the categories. ``folds`` and ``repeats`` are those of
    the supervised figures; 0 repeats leave them out.
    """

    extractors: tuple[str, ...] = ()
    level: int | None = None
    sample: int | None = None
    seeds: tuple[int, ...] = tuple(range(10))
    perplexity: float = 30.0
    folds: int = 5
    repeats: int = 2


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several runs: mean, standard deviation, and a 95 % bootstrap interval from ``low`` to ``high``."""

    mean: float
    std: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], low: float | None = None, high: float | None = None) -> Spread:
        """Of the values of the runs; without an interval, their extremes stand for it."""
        mean = sum(values) / len(values)
        std = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
        return cls(mean, std, min(values) if low is None else low, max(values) if high is None else high)

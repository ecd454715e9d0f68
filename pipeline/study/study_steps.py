"""The functions that a study is made of, named once, so that tests bring quick ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.study.features import Features


@dataclass(frozen=True, slots=True)
class SupervisedResult:
    """What a supervised job found: rows of the report's ``supervised`` and ``learning_curve``, and the held-out
    probabilities (float32, shape (n, categories)), if it has any."""

    rows: Sequence[dict[str, Any]]
    curve: Sequence[dict[str, Any]] = ()
    probabilities: NDArray[np.float32] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StudySteps:
    """One function a step of the course; their signatures are those of the modules ``assembly`` takes them from."""

    draw: Callable[..., Any]
    fingerprint: Callable[..., str]
    compute: Callable[..., Features]
    run: Callable[..., Any]
    unavailable: Callable[..., Sequence[dict[str, Any]]]
    pairs: Callable[..., Sequence[tuple[Features, Features]]]
    combine: Callable[..., Features]
    compare: Callable[..., Sequence[dict[str, Any]]]
    jobs: Callable[..., Sequence[str]]
    judge: Callable[..., SupervisedResult]
    unjudged: Callable[..., SupervisedResult]
    conclude: Callable[..., dict[str, Any]]
    render: Callable[..., dict[str, bytes]]

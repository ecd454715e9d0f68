"""Precisions of networks, and the number of usable cores."""

from __future__ import annotations

import os
from enum import StrEnum

from pipeline.domain.errors import InvalidInput


class Precision(StrEnum):
    """Number formats of a network, from the fastest to the most exact.

    ``INT8`` is a network calibrated with photos of the catalogue (8-bit weights and activations); ``BF16`` and ``FP32``
    are the same network, computed in 16-bit brain floats or in single precision.
    """

    INT8 = "int8"
    BF16 = "bf16"
    FP32 = "fp32"


def parse_precision(name: str) -> Precision:
    """The precision with this name; InvalidInput lists the existing ones."""
    try:
        return Precision(name)
    except ValueError:
        raise InvalidInput(f"there is no precision {name!r}; choose one of {', '.join(Precision)}") from None


def usable_cores() -> int:
    """The number of cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

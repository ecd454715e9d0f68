"""The precisions a network can compute in, and what this processor offers: bf16 instructions, cores."""

from __future__ import annotations

import os
from enum import StrEnum
from functools import cache

from pipeline.domain.errors import InvalidInput
from pipeline.networks.openvino_import import openvino_module


class Precision(StrEnum):
    """From the fastest to the most exact.

    ``INT8`` is a network quantised by photos of the catalogue (8-bit weights and maps); ``BF16`` and ``FP32`` are the
    same network, computed in 16-bit brain floats or in single precision.
    """

    INT8 = "int8"
    BF16 = "bf16"
    FP32 = "fp32"


def precision(name: str) -> Precision:
    """The precision of that name; InvalidInput names those there are."""
    try:
        return Precision(name)
    except ValueError:
        raise InvalidInput(f"there is no precision {name!r}; choose one of {', '.join(Precision)}") from None


@cache
def computes_bf16() -> bool:
    """Whether OpenVINO computes bf16 on this processor by instructions of its own (AVX512_BF16, AMX).

    Where it does not, bf16 would be imitated in fp32: slower than fp32 itself, and less exact.
    """
    return "BF16" in openvino_module().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def usable_cores() -> int:
    """At least 1; fewer than the machine has where the process is held to some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

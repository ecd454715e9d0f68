"""The OpenVINO runner: an exported network on the CPU, from bytes. Serving needs this module and no tensorflow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact
from pipeline.networks.engine import openvino_module

GRAPH_FILE = "network.xml"
WEIGHTS_FILE = "network.bin"


@dataclass(frozen=True, slots=True)
class ExportedNetwork:
    """A network in OpenVINO's intermediate representation: its graph (XML) and its weights (binary)."""

    graph: bytes
    weights: bytes

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read the two files an export writes."""
        return cls((folder / GRAPH_FILE).read_bytes(), (folder / WEIGHTS_FILE).read_bytes())


class Runner:
    """A compiled network, one photo at a time: on a CPU a larger batch costs memory and gains no time.

    ``threads`` is the number of threads of one inference, 0 for one a core. Build it in the process that uses it:
    its threads do not survive a fork. Raises BadArtefact when the bytes are no network OpenVINO can read.
    """

    def __init__(self, network: ExportedNetwork, threads: int = 0) -> None:
        core = openvino_module().Core()
        settings: dict[str, str | int | bool] = {
            "PERFORMANCE_HINT": "LATENCY",
            # The same vectors on every machine: otherwise some CPUs silently compute in bf16.
            "INFERENCE_PRECISION_HINT": "f32",
            # Workers side by side would all be pinned to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            model = core.read_model(model=network.graph, weights=network.weights)
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise BadArtefact(f"this is no network OpenVINO can read: {str(error).strip().splitlines()[-1]}") from error
        self._request = self._compiled.create_infer_request()

    @property
    def width(self) -> int:
        """How many numbers a photo becomes."""
        return int(self._compiled.output(0).get_partial_shape()[1].get_length())

    def transform(self, inputs: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Network inputs, each float32 of shape (1, side, side, 3), to float32 of shape (n, width)."""
        rows = [self._request.infer([single])[0][0].copy() for single in inputs]
        return np.stack(rows) if rows else np.empty((0, self.width), dtype=np.float32)

"""The OpenVINO engine: an exported network on the CPU. Serving needs this module and no tensorflow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact
from pipeline.networks.openvino_import import openvino_module
from pipeline.networks.precision import Precision, computes_bf16

GRAPH_FILE = "network.xml"
WEIGHTS_FILE = "network.bin"


@dataclass(frozen=True, slots=True, eq=False)
class ExportedNetwork:
    """A network in OpenVINO's intermediate representation, and the precision it is meant to compute in.

    ``graph`` (XML) and ``weights`` (binary) are arrays of uint8, shape (bytes,): an engine reads the weights where they
    lie, without a copy.
    """

    graph: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    precision: Precision = Precision.FP32

    @classmethod
    def from_folder(cls, folder: Path, precision: Precision = Precision.FP32) -> Self:
        """Read the two files an export writes."""
        return cls(np.fromfile(folder / GRAPH_FILE, np.uint8), np.fromfile(folder / WEIGHTS_FILE, np.uint8), precision)

    def meant(self, precision: Precision) -> Self:
        """The same network, to be computed in bf16 or fp32; int8 is another network (``export.quantise``)."""
        return replace(self, precision=precision)

    def write(self, folder: Path) -> None:
        """Write those two files."""
        self.graph.tofile(folder / GRAPH_FILE)
        self.weights.tofile(folder / WEIGHTS_FILE)


class Runner:
    """A compiled network, one photo at a time: on a CPU a larger batch costs memory and gains no time.

    ``threads`` is the number of threads of one inference, 0 for one a core. Build it in the process that uses it:
    its threads do not survive a fork. A network meant for bf16 is computed in fp32 where the processor has no bf16:
    more exact, and faster there. Raises BadArtefact when the bytes are no network OpenVINO can read.
    """

    def __init__(self, network: ExportedNetwork, threads: int = 0) -> None:
        openvino = openvino_module()
        core = openvino.Core()
        in_bf16 = network.precision is Precision.BF16 and computes_bf16()
        settings: dict[str, str | int | bool] = {
            "PERFORMANCE_HINT": "LATENCY",
            # Left to itself OpenVINO computes in bf16 wherever it can. What int8 leaves over is computed in fp32.
            "INFERENCE_PRECISION_HINT": "bf16" if in_bf16 else "f32",
            # Workers side by side would all be pinned to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            weights = openvino.Tensor(network.weights, shared_memory=True)
            model = core.read_model(network.graph.tobytes(), weights)
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

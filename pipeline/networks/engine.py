"""Engines that run exported networks: OpenVINO, or Keras on a GPU and where OpenVINO is missing.

OpenVINO is imported only in this module: on demand and without its telemetry. Serving needs no tensorflow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact, InvalidInput, Unavailable
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.networks.backbones import Backbone
from pipeline.networks.precision import Precision

ENGINES = ("openvino", "keras")
GRAPH_FILE = "network.xml"
WEIGHTS_FILE = "network.bin"
_CONVERTER_MODULE = "openvino.tools.ovc"


@dataclass(frozen=True, slots=True, eq=False)
class ExportedNetwork:
    """A network in OpenVINO's intermediate representation, and the precision to compute it in.

    ``graph`` (XML) and ``weights`` (binary) are uint8 arrays of shape (bytes,): an engine reads the weights in place,
    without a copy.
    """

    graph: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    precision: Precision = Precision.FP32

    @classmethod
    def from_folder(cls, folder: Path, precision: Precision = Precision.FP32) -> Self:
        """Read the two files that ``write`` and the exporting programs write."""
        return cls(np.fromfile(folder / GRAPH_FILE, np.uint8), np.fromfile(folder / WEIGHTS_FILE, np.uint8), precision)

    def at_precision(self, precision: Precision) -> Self:
        """The same network, to be computed in bf16 or fp32; int8 is a different network (``export.quantise``)."""
        return replace(self, precision=precision)

    def write(self, folder: Path) -> None:
        """Write the two files that ``from_folder`` reads."""
        self.graph.tofile(folder / GRAPH_FILE)
        self.weights.tofile(folder / WEIGHTS_FILE)


class Engine(Protocol):
    """A compiled network; usable only in the process that created it."""

    @property
    def width(self) -> int:
        """The width of a photo's vector."""
        ...

    def transform(self, inputs: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Network inputs, each float32 of shape (1, side, side, 3), to float32 of shape (n, width)."""
        ...


def open_engine(
    name: str, backbone: Backbone, network: ExportedNetwork, weights: Path | None, threads: int = 0
) -> Engine:
    """Load the network of ``backbone`` in the engine with this name.

    ``openvino`` takes the exported ``network`` and ``threads`` per inference (0: one per core). ``keras`` takes the
    ``weights`` file that the network was exported from, and computes networks quantised to int8 in fp32. Raises
    Unavailable when the engine's library is not installed, BadArtefact when a file is damaged.
    """
    if name not in ENGINES:
        raise InvalidInput(f"there is no engine {name!r}; choose one of {', '.join(ENGINES)}")
    try:
        if name == "openvino":
            return OpenVinoEngine(network, threads)
        if weights is None:
            raise Unavailable(Reason.of(ReasonCode.KERAS_WITHOUT_WEIGHTS, network=backbone.name))
        keras_backbone = import_module("pipeline.networks.keras_backbone")
        engine: Engine = keras_backbone.KerasEngine(backbone, weights, network.precision)
        return engine
    except ModuleNotFoundError as error:
        other_role = "tensorflow" if name == "openvino" else "serve"
        library = error.name or ""
        reason = Reason.of(ReasonCode.ENGINE_MISSING, library=library, network=backbone.name, role=other_role)
        raise Unavailable(reason) from error


class OpenVinoEngine:
    """A network compiled by OpenVINO, one photo at a time: on a CPU, larger batches cost memory and save no time.

    ``threads`` is the number of threads per inference; 0 means one per core. Create it in the process that uses it: its
    threads do not survive a fork. A network for bf16 is computed in fp32 if the processor lacks bf16, which is then
    more exact and faster. Raises BadArtefact when OpenVINO cannot read the network.
    """

    def __init__(self, network: ExportedNetwork, threads: int = 0) -> None:
        openvino = openvino_module()
        core = openvino.Core()
        in_bf16 = network.precision is Precision.BF16 and computes_bf16()
        settings: dict[str, str | int | bool] = {
            "PERFORMANCE_HINT": "LATENCY",
            # By default OpenVINO uses bf16 wherever it can. Layers that are not in int8 are computed in fp32.
            "INFERENCE_PRECISION_HINT": "bf16" if in_bf16 else "f32",
            # With pinning, several workers would all run on the same first cores.
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
        """The width of a photo's vector."""
        return int(self._compiled.output(0).get_partial_shape()[1].get_length())

    def transform(self, inputs: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Network inputs, each float32 of shape (1, side, side, 3), to float32 of shape (n, width)."""
        rows = [self._request.infer([single])[0][0].copy() for single in inputs]
        return np.stack(rows) if rows else np.empty((0, self.width), dtype=np.float32)


@cache
def computes_bf16() -> bool:
    """Whether this processor has native bf16 instructions that OpenVINO uses (AVX512_BF16, AMX).

    Otherwise bf16 would be emulated in fp32: slower than fp32 itself, and less exact.
    """
    return "BF16" in openvino_module().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino_module() -> ModuleType:
    """The ``openvino`` module, without ``convert_model``.

    A plain import writes ``~/intel`` and sends an event over the internet; if the package ``openvino_telemetry`` cannot
    be imported, OpenVINO uses an inert replacement. Its converter, which supports the formats of all frameworks and
    takes as long to import as everything else, is skipped too.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        sys.modules[_CONVERTER_MODULE] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[_CONVERTER_MODULE]
    import openvino

    module: ModuleType = openvino
    return module


def convert_model(network: Any) -> Any:
    """Convert a network of another framework to an ``openvino.Model``."""
    openvino_module()
    from openvino.tools import ovc

    return ovc.convert_model(network)

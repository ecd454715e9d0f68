"""What computes a network: OpenVINO, or Keras where OpenVINO is missing and on a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.networks.backbones import Backbone
from pipeline.networks.openvino_runner import ExportedNetwork, Runner

ENGINES = ("openvino", "keras")


class Engine(Protocol):
    """A network ready to compute; it belongs to the process that made it."""

    @property
    def width(self) -> int:
        """How many numbers a photo becomes."""
        ...

    def transform(self, inputs: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Network inputs, each float32 of shape (1, side, side, 3), to float32 of shape (n, width)."""
        ...


def open_engine(name: str, row: Backbone, network: ExportedNetwork, weights: Path | None, threads: int = 0) -> Engine:
    """The engine of that name with the network of ``row`` in it.

    ``openvino`` takes the exported ``network`` and ``threads`` of one inference (0: one a core). ``keras`` takes the
    ``weights`` file the network was exported from, and computes what was quantised to int8 in fp32.
    Raises Unavailable when the engine's library is not installed, BadArtefact when what it reads is damaged.
    """
    if name not in ENGINES:
        raise InvalidInput(f"there is no engine {name!r}; choose one of {', '.join(ENGINES)}")
    try:
        if name == "openvino":
            return Runner(network, threads)
        if weights is None:
            raise Unavailable(f"unavailable: Keras computes {row.name} from its weights file, and was given none")
        engine: Engine = import_module("pipeline.networks.keras_backbone").KerasEngine(row, weights, network.precision)
        return engine
    except ModuleNotFoundError as error:
        other = "tensorflow" if name == "openvino" else "serve"
        raise Unavailable(
            f"unavailable: {error.name} is not installed here; serve {row.name} with a worker of role {other}"
        ) from error

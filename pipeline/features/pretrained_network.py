"""Base class of the pretrained photo extractors: exports a backbone with its published weights, and serves it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import ExtractorSettings, Photo, State, Vectors
from pipeline.features.weights_lookup import CheckedWeights, local_weights
from pipeline.networks.backbones import Backbone, network_inputs
from pipeline.networks.engine import Engine, ExportedNetwork, open_engine
from pipeline.networks.export import export, quantise
from pipeline.networks.precision import Precision, parse_precision
from pipeline.networks.weights_file import is_published, read_weights


class PretrainedNetwork(ExtractorSettings):
    """Photos to vectors by a frozen ``backbone``: exported from Keras when fitted, served by OpenVINO or by Keras.

    A subclass sets ``backbone``. ``weights``: local path of the published weights file; needed to fit and by the engine
    ``keras``, not by ``openvino``. ``precision``: int8, bf16 or fp32. ``threads`` per inference (0: one per core) and
    ``engine`` depend on the machine, so they are not saved. ``inputs_per_photo``: number of inputs made from a photo,
    whose outputs are averaged; 0: as the backbone specifies. Learns ``network_``, and ``weights_sha256_``, the digest
    of the weights file.
    """

    version: ClassVar[int] = 1
    backbone: ClassVar[Backbone]

    def __init__(
        self,
        weights: str | None = None,
        threads: int = 0,
        precision: str = Precision.FP32.value,
        engine: str = "openvino",
        inputs_per_photo: int = 0,
    ) -> None:
        self.weights = weights
        self.threads = threads
        self.precision = precision
        self.engine = engine
        self.inputs_per_photo = inputs_per_photo

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Export the network for serving; only int8 uses the photos, to learn its activation ranges.

        Raises Unavailable without weights, BadArtefact when the file is damaged or of another kind, InvalidInput for an
        unknown precision, or for int8 without photos.
        """
        precision = parse_precision(self.precision)
        path = local_weights(self.backbone.name, self.weights)
        network = export(self.backbone, path)
        is_int8 = precision is Precision.INT8
        self.network_ = quantise(self.backbone, network, photos) if is_int8 else network.at_precision(precision)
        with path.open("rb") as file:
            self.weights_sha256_: str | None = hashlib.file_digest(file, "sha256").hexdigest()
        self._engine: Engine | None = None
        return self

    def set_params(self, **settings: object) -> Self:
        """Change settings by name; the network is compiled again on next use."""
        self._engine = None
        return super().set_params(**settings)

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """Photos, RGB uint8 of any size, to float32 of shape (n, width of the backbone).

        The network is compiled on the first call, in the process that uses it. Raises BadArtefact when it cannot be
        read, Unavailable when the engine is not installed.
        """
        network = self.network_
        if self._engine is None:
            weights = Path(self.weights) if self.weights else None
            self._engine = open_engine(self.engine, self.backbone, network, weights, self.threads)
        count = self.inputs_per_photo or self.backbone.inputs_per_photo
        inputs = (network_input for photo in photos for network_input in network_inputs(self.backbone, photo, count))
        outputs = self._engine.transform(inputs)
        return outputs.reshape(len(photos), count, -1).mean(axis=1) if count > 1 and len(photos) else outputs

    def state(self) -> State:
        """The exported network, as two arrays of bytes, and its settings."""
        return {
            "version": self.version,
            "backbone": self.backbone.name,
            "precision": self.network_.precision.value,
            "looks": self.inputs_per_photo or self.backbone.inputs_per_photo,
            "weights_sha256": self.weights_sha256_,
            "graph": self.network_.graph,
            "network_weights": self.network_.weights,
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the extractor, without tensorflow or a weights file; BadArtefact when the state is of another one.

        States of earlier versions may lack the precision, which was fp32, or ``looks`` (the inputs per photo), which
        was 1.
        """
        name = cls.backbone.name
        # Version 1 is always readable: the settings that it lacks had only one value then.
        if state.get("version") not in {1, cls.version} or state.get("backbone") != name:
            raise BadArtefact(f"this is no state of {name}, version {cls.version}: train again")
        graph, weights = state.get("graph"), state.get("network_weights")
        if not (_are_bytes(graph) and _are_bytes(weights)):
            raise BadArtefact(f"the state of {name} lacks its network: train again")
        saved_precision = state.get("precision", Precision.FP32.value)
        if saved_precision not in set(Precision):
            raise BadArtefact(f"the state of {name} is of precision {saved_precision!r}, unknown here: train again")
        restored = cls(precision=saved_precision, inputs_per_photo=int(state.get("looks", 1)))
        restored.network_ = ExportedNetwork(np.asarray(graph), np.asarray(weights), Precision(saved_precision))
        restored.weights_sha256_ = state.get("weights_sha256")
        restored._engine = None
        return restored

    @classmethod
    def check_weights(cls, location: str, folder: Path) -> CheckedWeights:  # noqa: ARG003 - part of the protocol
        """Return the weights file itself after reading it; BadArtefact when it is damaged or of another network."""
        path = Path(location)
        read_weights(cls.backbone, path)
        return CheckedWeights(path, is_published(cls.backbone, path))


def _are_bytes(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8

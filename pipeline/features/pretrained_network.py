"""What every pretrained photo extractor does alike: export its backbone with given weights, and serve it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import Photo, Settings, State, Vectors
from pipeline.features.pretrained_weights import CheckedWeights, local_weights
from pipeline.networks.backbones import Backbone, network_inputs
from pipeline.networks.engine import Engine, ExportedNetwork, open_engine
from pipeline.networks.export import export, quantise
from pipeline.networks.precision import Precision, parse_precision
from pipeline.networks.weights_file import is_published, read_weights


class PretrainedNetwork(Settings):
    """Photos to vectors by a frozen ``backbone``: exported from Keras when fitted, served by OpenVINO or by Keras.

    A subclass names its ``backbone``. ``weights``: the local path of the published weights file; needed to fit and by
    the engine ``keras``, not by ``openvino``. ``precision``: int8, bf16 or fp32. ``threads`` of one inference (0 for
    one a core) and ``engine`` are choices of the machine, so they are not saved. ``looks`` at each photo, whose outputs
    are averaged; 0: as many as the backbone says.
    Learns ``network_``, and ``weights_sha256_``, the digest of the file it came from.
    """

    version: ClassVar[int] = 1
    backbone: ClassVar[Backbone]

    def __init__(
        self,
        weights: str | None = None,
        threads: int = 0,
        precision: str = Precision.FP32.value,
        engine: str = "openvino",
        looks: int = 0,
    ) -> None:
        self.weights = weights
        self.threads = threads
        self.precision = precision
        self.engine = engine
        self.looks = looks

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Export the network for serving; int8 learns the ranges of its maps from the photos, else they play no part.

        Raises Unavailable without weights, BadArtefact when the file is damaged or of another kind, InvalidInput when
        there is no such precision, or no photo to quantise by.
        """
        wanted = parse_precision(self.precision)
        path = local_weights(self.backbone.name, self.weights)
        network = export(self.backbone, path)
        self.network_ = quantise(self.backbone, network, photos) if wanted is Precision.INT8 else network.meant(wanted)
        with path.open("rb") as file:
            self.weights_sha256_: str | None = hashlib.file_digest(file, "sha256").hexdigest()
        self._opened: Engine | None = None
        return self

    def set_params(self, **settings: object) -> Self:
        """As scikit-learn's; a network that was compiled for other settings is compiled anew when it is needed."""
        self._opened = None
        return super().set_params(**settings)

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """Photos, RGB uint8 of any size, to float32 of shape (n, width of the backbone).

        The network is compiled at the first call, in the process that uses it. BadArtefact when it cannot be read,
        Unavailable when the engine is not installed here.
        """
        network = self.network_
        if self._opened is None:
            weights = Path(self.weights) if self.weights else None
            self._opened = open_engine(self.engine, self.backbone, network, weights, self.threads)
        looks = self.looks or self.backbone.looks
        inputs = (each for photo in photos for each in network_inputs(self.backbone, photo, looks))
        outputs = self._opened.transform(inputs)
        return outputs.reshape(len(photos), looks, -1).mean(axis=1) if looks > 1 and len(photos) else outputs

    def state(self) -> State:
        """The exported network, as two arrays of bytes, and what it is."""
        return {
            "version": self.version,
            "backbone": self.backbone.name,
            "precision": self.network_.precision.value,
            "looks": self.looks or self.backbone.looks,
            "weights_sha256": self.weights_sha256_,
            "graph": self.network_.graph,
            "network_weights": self.network_.weights,
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same extractor, without tensorflow or a weights file; BadArtefact when the state is of another.

        A state that names no precision is of a time when all were fp32, one without looks when there was one.
        """
        name = cls.backbone.name
        # A state says all about itself since it says how often the network looks; before that there was one look.
        if state.get("version") not in {1, cls.version} or state.get("backbone") != name:
            raise BadArtefact(f"this is no state of {name}, version {cls.version}: train again")
        graph, weights = state.get("graph"), state.get("network_weights")
        if not (_are_bytes(graph) and _are_bytes(weights)):
            raise BadArtefact(f"the state of {name} lacks its network: train again")
        saved = state.get("precision", Precision.FP32.value)
        if saved not in set(Precision):
            raise BadArtefact(f"the state of {name} is of precision {saved!r}, unknown here: train again")
        restored = cls(precision=saved, looks=int(state.get("looks", 1)))
        restored.network_ = ExportedNetwork(np.asarray(graph), np.asarray(weights), Precision(saved))
        restored.weights_sha256_ = state.get("weights_sha256")
        restored._opened = None
        return restored

    @classmethod
    def keepable(cls, given: str, folder: Path) -> CheckedWeights:
        """The weights file itself, once it has been read; BadArtefact when it is damaged or of another network."""
        path = Path(given)
        read_weights(cls.backbone, path)
        return CheckedWeights(path, is_published(cls.backbone, path))


def _are_bytes(part: object) -> bool:
    return isinstance(part, np.ndarray) and part.dtype == np.uint8

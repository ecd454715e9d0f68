"""What every pretrained photo extractor does alike: export its backbone with given weights, serve it by OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import Photo, State, Vectors
from pipeline.features.settings import Settings
from pipeline.features.weights import Keepable, local_path
from pipeline.networks.backbones import Backbone, network_input
from pipeline.networks.export import export
from pipeline.networks.runner import ExportedNetwork, Runner
from pipeline.networks.weights import is_published, read_weights


class PretrainedNetwork(Settings):
    """Photos to vectors by a frozen ``backbone``: exported from Keras when fitted, served by OpenVINO.

    A subclass names its ``backbone``. ``weights``: the local path of the published weights file; needed to fit, not to
    transform. ``threads``: threads of one inference, 0 for one a core; a choice of the machine, so it is not saved.
    Learns ``network_``.
    """

    version: ClassVar[int] = 1
    backbone: ClassVar[Backbone]

    def __init__(self, weights: str | None = None, threads: int = 0) -> None:
        self.weights = weights
        self.threads = threads

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Export the network for serving; the photos are not looked at.

        Raises Unavailable without weights, BadArtefact when the file is damaged or of another kind.
        """
        self.network_ = export(self.backbone, local_path(self.backbone.name, self.weights))
        self._runner: Runner | None = None
        return self

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """Photos, RGB uint8 of any size, to float32 of shape (n, width of the backbone).

        The network is compiled at the first call, in the process that uses it. BadArtefact when it cannot be read.
        """
        network = self.network_
        if self._runner is None:
            self._runner = Runner(network, self.threads)
        return self._runner.transform(network_input(self.backbone, photo) for photo in photos)

    def state(self) -> State:
        """The exported network, as two arrays of bytes, and what it is."""
        return {
            "version": self.version,
            "backbone": self.backbone.name,
            "graph": np.frombuffer(self.network_.graph, dtype=np.uint8),
            "network_weights": np.frombuffer(self.network_.weights, dtype=np.uint8),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same extractor, without tensorflow or a weights file; BadArtefact when the state is of another."""
        name = cls.backbone.name
        if (state.get("version"), state.get("backbone")) != (cls.version, name):
            raise BadArtefact(f"this is no state of {name}, version {cls.version}: train again")
        parts = [state.get("graph"), state.get("network_weights")]
        if not all(isinstance(part, np.ndarray) and part.dtype == np.uint8 for part in parts):
            raise BadArtefact(f"the state of {name} lacks its network: train again")
        restored = cls()
        restored.network_ = ExportedNetwork(*(np.asarray(part).tobytes() for part in parts))
        restored._runner = None
        return restored

    @classmethod
    def keepable(cls, given: str, folder: Path) -> Keepable:
        """The weights file itself, once it has been read; BadArtefact when it is damaged or of another network."""
        path = Path(given)
        read_weights(cls.backbone, path)
        return Keepable(path, is_published(cls.backbone, path))

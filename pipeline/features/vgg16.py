"""VGG16 with ImageNet weights: 512 average-pooled numbers a photo (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.features.extractor import Photo, State, Vectors
from pipeline.networks.backbones import backbone, network_input
from pipeline.networks.export import export
from pipeline.networks.runner import ExportedNetwork, Runner

BACKBONE = backbone("vgg16")
ADVICE = "add them with: rayon models add vgg16 FILE"


class VGG16(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Photos to 512-d vectors by a frozen VGG16: trained in Keras, served by OpenVINO.

    ``weights``: the local path of the published weights file; needed to fit, not to transform.
    ``threads``: threads of one inference, 0 for one a core; a choice of the machine, so it is not saved.

    >>> extractor = VGG16(weights="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")  # doctest: +SKIP
    >>> extractor.fit(photos).transform(photos).shape  # doctest: +SKIP
    (8, 512)
    """

    version: ClassVar[int] = 1

    def __init__(self, weights: str | None = None, threads: int = 0) -> None:
        self.weights = weights
        self.threads = threads

    def fit(self, photos: Sequence[Photo], y: object = None) -> Self:
        """Export the network for serving; the photos are not looked at.

        Raises Unavailable without weights, BadArtefact when the file is damaged or of another kind.
        """
        if self.weights is None:
            raise Unavailable(f"unavailable: vgg16 has no weights here; {ADVICE}")
        if not Path(self.weights).is_file():
            raise Unavailable(f"unavailable: vgg16's weights are not at {self.weights}; {ADVICE}")
        self.network_ = export(BACKBONE, Path(self.weights))
        self._runner: Runner | None = None
        return self

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """Photos, RGB uint8 of any size, to float32 of shape (n, 512).

        The network is compiled at the first call, in the process that uses it. BadArtefact when it cannot be read.
        """
        check_is_fitted(self, "network_")
        if self._runner is None:
            self._runner = Runner(self.network_, self.threads)
        return self._runner.transform(network_input(BACKBONE, photo) for photo in photos)

    def state(self) -> State:
        """The exported network, as two arrays of bytes (about 29 MB), and what it is."""
        check_is_fitted(self, "network_")
        return {
            "version": self.version,
            "backbone": BACKBONE.name,
            "graph": np.frombuffer(self.network_.graph, dtype=np.uint8),
            "network_weights": np.frombuffer(self.network_.weights, dtype=np.uint8),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same extractor, without tensorflow or a weights file; BadArtefact when the state is of another."""
        if (state.get("version"), state.get("backbone")) != (cls.version, BACKBONE.name):
            raise BadArtefact(f"this is no state of vgg16, version {cls.version}: train again")
        parts = [state.get("graph"), state.get("network_weights")]
        if not all(isinstance(part, np.ndarray) and part.dtype == np.uint8 for part in parts):
            raise BadArtefact("the state of vgg16 lacks its network: train again")
        restored = cls()
        restored.network_ = ExportedNetwork(*(np.asarray(part).tobytes() for part in parts))
        restored._runner = None
        return restored

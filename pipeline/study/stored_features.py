"""Feature vectors kept between studies in the object storage, so that unchanged listings cost nothing again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact, NotFound
from pipeline.ports.services import ObjectStorage
from pipeline.study.study_folder import pack, unpack

PREFIX = "features/"


class StoredFeatures:
    """Implements ``pipeline.study.features.FeatureStore``; what is damaged counts as not there.

    ``whose`` keeps the vectors of one catalogue apart from those of another, which would take their place.
    """

    def __init__(self, storage: ObjectStorage, whose: str) -> None:
        self._storage = storage
        self._prefix = f"{PREFIX}{whose}/"

    def load(self, key: str) -> tuple[list[str], NDArray[np.float32]] | None:
        """The digests of the evidences and their vectors, shape (n, d), kept under a key; None when there are none."""
        try:
            arrays, facts = unpack(self._storage.get(f"{self._prefix}{key}.npz"))
            return facts["digests"], arrays["vectors"]
        except (NotFound, BadArtefact, KeyError):
            return None

    def save(self, key: str, digests: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep vectors under a key, in place of what was there."""
        self._storage.put(f"{self._prefix}{key}.npz", pack({"vectors": vectors}, {"digests": list(digests)}))

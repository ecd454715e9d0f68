"""What every extractor offers: listings in, one feature vector a listing out.

Extractors follow scikit-learn: the constructor only stores its settings, ``fit`` returns self, what is learned ends in
``_``. A fitted extractor is saved as a ``State`` (arrays and JSON, never a pickle) and restored by ``from_state``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.listing import Evidence

# Name -> an array, or anything ``json.dumps`` takes. Text belongs in the JSON part: arrays of objects are refused.
State = dict[str, Any]
Photo = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Matrix = Any  # Vectors, or a scipy.sparse CSR matrix of float32 (scipy has no types)


class TextExtractor(Protocol):
    """Texts to vectors. ``version`` grows whenever the same fit would give other vectors."""

    version: ClassVar[int]

    def fit(self, evidences: Sequence[Evidence]) -> Self:
        """Learn the vocabulary from name, description and attributes of each listing."""
        ...

    def transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """A float32 matrix of shape (n, d), dense or ``scipy.sparse`` CSR; a row of zeros where no word is known."""
        ...

    def state(self) -> State:
        """All that ``from_state`` needs."""
        ...

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same extractor again; BadArtefact when the state is of another version or kind."""
        ...


class ImageExtractor(Protocol):
    """Photos to vectors.

    An extractor that is not ``Describing`` learns nothing from the catalogue: ``fit`` only returns self, and
    ``transform`` gives the same vector for a photo whatever it was fitted on (a pretrained network).
    """

    version: ClassVar[int]

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Learn from photos: RGB, uint8, each of shape (height, width, 3), at most ``photo.SIDE`` pixels a side."""
        ...

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """float32, shape (n, d)."""
        ...

    def state(self) -> State:
        """All that ``from_state`` needs, weights included."""
        ...

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same extractor again; BadArtefact when the state is of another version or kind."""
        ...


@runtime_checkable
class Describing(Protocol):
    """An image extractor in two steps, so that cross-validation repeats only the part that learns.

    ``fit(photos)`` equals ``fit_described(describe(photos))``, and so does ``transform``.
    """

    def describe(self, photos: Sequence[Photo]) -> list[NDArray[np.uint8]]:
        """What no fit changes: the local descriptors of each photo, compact (uint8, shape (points, columns))."""
        ...

    def fit_described(self, described: Sequence[NDArray[np.uint8]]) -> Self:
        """Learn from the descriptors of the training photos."""
        ...

    def transform_described(self, described: Sequence[NDArray[np.uint8]]) -> Vectors:
        """float32, shape (n, d)."""
        ...


@runtime_checkable
class Following(Describing, Protocol):
    """One that can go on from what it learned before, instead of beginning anew."""

    def refit_described(self, described: Sequence[NDArray[np.uint8]]) -> bool:
        """Whether it had to change to tell what these photos look like; if not, all vectors made before stay valid."""
        ...

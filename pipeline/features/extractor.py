"""Extractors: their protocols, settings and saved states, and loading an extractor by name.

Extractors follow scikit-learn: the constructor only stores its settings, ``fit`` returns self, learned attributes end
in ``_``. A fitted extractor is saved as a ``State`` (arrays and JSON, never a pickle) and restored by ``from_state``.
"""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Evidence

# Name -> an array, or anything ``json.dumps`` accepts. Text belongs in the JSON part: arrays of objects are refused.
State = dict[str, Any]
Photo = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Vectors = Floats
Matrix = Any  # Vectors, or a scipy.sparse CSR matrix of float32 (scipy has no types)


class TextExtractor(Protocol):
    """Texts to vectors. ``version`` is incremented whenever the same fit would give different vectors."""

    version: ClassVar[int]

    def fit(self, evidences: Sequence[Evidence]) -> Self:
        """Learn the vocabulary from name, description and attributes of each listing."""
        ...

    def transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """A float32 matrix of shape (n, d), dense or ``scipy.sparse`` CSR; a row of zeros if no word is known."""
        ...

    def state(self) -> State:
        """Everything that ``from_state`` needs."""
        ...

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the extractor; BadArtefact when the state is of another version or kind."""
        ...


class ImageExtractor(Protocol):
    """Photos to vectors.

    One that is not a ``TwoStepExtractor`` learns nothing from the catalogue: ``fit`` only returns self, and
    ``transform`` gives the same vector for a photo whatever it was fitted on (a pretrained network).
    """

    version: ClassVar[int]

    def fit(self, photos: Sequence[Photo]) -> Self:
        """Learn from photos: RGB, uint8, each of shape (height, width, 3), sides up to ``photo_decoding.MAX_SIDE``."""
        ...

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        """float32, shape (n, d)."""
        ...

    def state(self) -> State:
        """Everything that ``from_state`` needs, weights included."""
        ...

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the extractor; BadArtefact when the state is of another version or kind."""
        ...


@runtime_checkable
class TwoStepExtractor(Protocol):
    """An image extractor in two steps, so that cross-validation repeats only the step that learns.

    ``fit(photos)`` equals ``fit_descriptors(describe(photos))``, and ``transform`` likewise.
    """

    def describe(self, photos: Sequence[Photo]) -> list[NDArray[np.uint8]]:
        """The step before fitting: local descriptors of each photo, compact (uint8, shape (points, columns))."""
        ...

    def fit_descriptors(self, descriptors: Sequence[NDArray[np.uint8]]) -> Self:
        """Learn from the descriptors of the training photos."""
        ...

    def transform_descriptors(self, descriptors: Sequence[NDArray[np.uint8]]) -> Vectors:
        """float32, shape (n, d)."""
        ...


@runtime_checkable
class IncrementalExtractor(TwoStepExtractor, Protocol):
    """A two-step extractor that can continue from what it learned before."""

    def refit_descriptors(self, descriptors: Sequence[NDArray[np.uint8]]) -> bool:
        """Adapt to these photos if needed; False when nothing changed, so that earlier vectors stay valid."""
        ...


class ExtractorSettings:
    """scikit-learn's ``get_params`` and ``set_params``, without scikit-learn, which serving workers do not load.

    Settings are the constructor's arguments, stored under their own names; ``sklearn.clone`` works on it.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - scikit-learn's
        """The constructor's arguments and their values; ``deep`` has no effect, since nothing is nested."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }

    def set_params(self, **settings: object) -> Self:
        """Change settings by name; ValueError for an unknown name."""
        current = self.get_params()
        for name, value in settings.items():
            if name not in current:
                raise ValueError(f"{type(self).__name__} has no setting {name!r}")
            setattr(self, name, value)
        return self


def check_state(state: State, kind: str, version: int) -> None:
    """BadArtefact unless the state was saved by this kind of extractor in this version."""
    if state.get("kind") != kind or state.get("version") != version:
        saved = f"{state.get('kind')} version {state.get('version')}"
        raise BadArtefact(f"the saved extractor is {saved}, expected {kind} version {version}; train a new model")


def load_extractor(name: str) -> type[Any]:
    """Import the class of an extractor by its row in the table: a ``TextExtractor`` or ``ImageExtractor``."""
    module, _, attribute = extractor_spec(name).target.partition(":")
    loaded: type[Any] = getattr(import_module(module), attribute)
    return loaded


def build_extractor(name: str, weights: str | None = None) -> TextExtractor | ImageExtractor:
    """An unfitted extractor; ``weights`` (a local path) go to those that take them, which may raise Unavailable."""
    extractor_class = load_extractor(name)
    extractor: TextExtractor | ImageExtractor = (
        extractor_class(weights=weights) if extractor_spec(name).takes_weights else extractor_class()
    )
    return extractor


def pack_state(name: str, state: State) -> dict[str, bytes]:
    """Pack a state as the files ``name.json`` and ``name.npz``; equal states give equal bytes."""
    arrays = {key: value for key, value in sorted(state.items()) if isinstance(value, np.ndarray)}
    for key, value in arrays.items():
        if value.dtype.hasobject:
            raise TypeError(f"{name}.{key} is an array of objects, which only a pickle could store")
    json_part = {key: value for key, value in state.items() if key not in arrays}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return {f"{name}.json": json.dumps(json_part, sort_keys=True).encode(), f"{name}.npz": buffer.getvalue()}


def unpack_state(name: str, files: Mapping[str, bytes]) -> State:
    """Read the state from the files of ``pack_state``; BadArtefact when one is missing or damaged.

    Pickles are never loaded, so a damaged file cannot run code.
    """
    try:
        state: State = json.loads(files[f"{name}.json"])
        with np.load(io.BytesIO(files[f"{name}.npz"]), allow_pickle=False) as arrays:
            return {**state, **{key: arrays[key] for key in arrays.files}}
    except KeyError as error:
        raise BadArtefact(f"the model lacks the file {error}") from error
    except Exception as error:  # zip, zlib, numpy and JSON raise different errors for damaged files
        raise BadArtefact(f"the model's {name!r} is damaged: {error}") from error

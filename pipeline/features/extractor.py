"""What every extractor offers, its settings and saved state, and how one is loaded by name."""

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

# Name -> an array, or anything ``json.dumps`` takes. Text belongs in the JSON part: arrays of objects are refused.
State = dict[str, Any]
Photo = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
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
class TwoStepExtractor(Protocol):
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
class IncrementalExtractor(TwoStepExtractor, Protocol):
    """One that can go on from what it learned before, instead of beginning anew."""

    def refit_described(self, described: Sequence[NDArray[np.uint8]]) -> bool:
        """Whether it had to change to tell what these photos look like; if not, all vectors made before stay valid."""
        ...


class Settings:
    """Settings are the constructor's arguments, stored under their own names; ``sklearn.clone`` works on it."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments and their values; ``deep`` is there for scikit-learn, nothing nests here."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }

    def set_params(self, **settings: object) -> Self:
        """Change settings by name, as scikit-learn's searches do; ValueError for a name that is none."""
        known = self.get_params()
        for name, value in settings.items():
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no setting {name!r}")
            setattr(self, name, value)
        return self


def check_state(state: State, kind: str, version: int) -> None:
    """BadArtefact unless the state was saved by this kind of extractor in this version."""
    if state.get("kind") != kind or state.get("version") != version:
        found = f"{state.get('kind')} version {state.get('version')}"
        raise BadArtefact(f"the saved extractor is {found}, expected {kind} version {version}; train a new model")


def load_extractor(name: str) -> type[Any]:
    """The class of the extractor, imported now; it meets ``TextExtractor`` or ``ImageExtractor`` as its row says."""
    module, _, attribute = extractor_spec(name).target.partition(":")
    loaded: type[Any] = getattr(import_module(module), attribute)
    return loaded


def build_extractor(name: str, weights: str | None = None) -> TextExtractor | ImageExtractor:
    """An unfitted extractor; ``weights`` (a local path) goes to those that take them, which may raise Unavailable."""
    kind = load_extractor(name)
    extractor: TextExtractor | ImageExtractor = kind(weights=weights) if extractor_spec(name).takes_weights else kind()
    return extractor


def pack_state(name: str, state: State) -> dict[str, bytes]:
    """``name.json`` and ``name.npz``; equal states give equal bytes."""
    arrays = {key: value for key, value in sorted(state.items()) if isinstance(value, np.ndarray)}
    for key, value in arrays.items():
        if value.dtype.hasobject:
            raise TypeError(f"{name}.{key} is an array of objects, which only a pickle could hold")
    rest = {key: value for key, value in state.items() if key not in arrays}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return {f"{name}.json": json.dumps(rest, sort_keys=True).encode(), f"{name}.npz": buffer.getvalue()}


def unpack_state(name: str, files: Mapping[str, bytes]) -> State:
    """The state again; BadArtefact when a file is missing or damaged."""
    try:
        state: State = json.loads(files[f"{name}.json"])
        with np.load(io.BytesIO(files[f"{name}.npz"]), allow_pickle=False) as arrays:
            return {**state, **{key: arrays[key] for key in arrays.files}}
    except KeyError as error:
        raise BadArtefact(f"the model lacks the file {error}") from error
    except Exception as error:  # zip, zlib, numpy and JSON each have errors of their own for a damaged file
        raise BadArtefact(f"the model's {name!r} is damaged: {error}") from error

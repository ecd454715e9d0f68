"""Read and check a backbone's weights file (HDF5, the layout of Keras Applications), without tensorflow.

The layout: the root's attribute ``layer_names`` lists groups; a group's attribute ``weight_names`` lists its datasets,
the kernel before the bias. Some files have all of this under a group ``model_weights``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact
from pipeline.networks.backbones import Backbone

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]

# By layer: kernel (height, width, in, out) and bias (out), both float32.
Weights = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def read_weights(backbone: Backbone, path: Path) -> Weights:
    """The weights of every layer of ``backbone``, in its order.

    Raises BadArtefact, with the problem, when the file is missing, truncated, not HDF5, of another network or layout,
    or contains non-finite numbers. Damage that leaves the layout intact is only detected by ``is_published``.
    """
    import h5py  # a serving worker never reads weights files

    try:
        with h5py.File(path, "r") as file:
            layers = _read_layers(file)
    except FileNotFoundError:
        raise BadArtefact(f"the weights file {path} of {backbone.name} does not exist") from None
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise BadArtefact(
            f"{path.name} is damaged, truncated or no weights file of {backbone.name} ({error}); "
            f"take {backbone.published.name} ({backbone.published.size:,} bytes)"
        ) from error
    _check_layers(backbone, path, layers)
    return {name: (layers[name][0], layers[name][1]) for name, _ in backbone.kernels}


def _read_layers(file: h5py.File) -> dict[str, list[NDArray[np.float32]]]:
    root = file if "layer_names" in file.attrs else file["model_weights"]
    layers = {}
    for layer in _names(root, "layer_names"):
        group = root[layer]
        arrays = [np.asarray(group[name], dtype=np.float32) for name in _names(group, "weight_names")]
        if arrays:  # pooling and input layers are listed too, without weights
            layers[layer] = arrays
    return layers


def _names(group: h5py.Group, attribute: str) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def _check_layers(backbone: Backbone, path: Path, layers: dict[str, list[NDArray[np.float32]]]) -> None:
    expected = dict(backbone.kernels)
    advice = f"take {backbone.published.name}"
    if missing := expected.keys() - layers.keys():
        raise BadArtefact(f"{path.name} is no weights file of {backbone.name}: it lacks {min(missing)}; {advice}")
    if extra := layers.keys() - expected.keys():
        raise BadArtefact(f"{path.name} has layers {backbone.name} does not use here, such as {min(extra)}; {advice}")
    for name, shape in expected.items():
        shapes = [array.shape for array in layers[name]]
        if shapes != [shape, shape[-1:]]:
            raise BadArtefact(f"{path.name}: {name} has arrays of shape {shapes}, not {[shape, shape[-1:]]}; {advice}")
        if not all(np.isfinite(array).all() for array in layers[name]):
            raise BadArtefact(f"{path.name}: {name} holds numbers that are not finite: the file is damaged; {advice}")


def is_published(backbone: Backbone, path: Path) -> bool:
    """Whether the file is byte for byte the published one: by its size, then its SHA-256 or, if unknown, MD5 digest."""
    if path.stat().st_size != backbone.published.size:
        return False
    algorithm, published_digest = (
        ("sha256", backbone.published.sha256) if backbone.published.sha256 else ("md5", backbone.published.md5)
    )
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == published_digest

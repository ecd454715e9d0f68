"""Read the layers of a weights file in the layout of Keras Applications (HDF5).

The root's attribute ``layer_names`` lists groups; a group's attribute ``weight_names`` lists its datasets, the kernel
before the bias. Some files have all of this under a group ``model_weights``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]


def read_layers(path: Path) -> dict[str, list[NDArray[np.float32]]]:
    """The arrays of each layer that has any, by its name; errors as h5py raises them."""
    import h5py  # a serving worker never reads weights files

    with h5py.File(path, "r") as file:
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

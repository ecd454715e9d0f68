"""Weights files of the published layout with random numbers, and photos to run through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.backbones import HDF5_READER, Backbone
from pipeline.networks.efficientnet_weights import EPSILON
from tests.unit.pipeline.networks.state_dict_files import state_dict_file

Array = NDArray[Any]


def write_weights(backbone: Backbone, path: Path, group: str | None = None) -> Path:
    """Random weights in the layout of the published file: kernels keep the variance (He et al. 2015), large biases."""
    rng = np.random.default_rng(7)
    arrays = {}
    for layer in backbone.layers:
        fan_in = np.prod(layer.kernel[:2]) * (1 if layer.kernel[3] != layer.biases else layer.kernel[2])
        kernel = rng.standard_normal(layer.kernel, dtype=np.float32) * np.float32(np.sqrt(2 / fan_in))
        if backbone.weights_reader != HDF5_READER:
            # Without the mean of its input, a deep network of random numbers does not make all photos alike.
            kernel -= kernel.mean(axis=(0, 1) if layer.kernel[3] != layer.biases else (0, 1, 2), keepdims=True)
        # Biases are as large as the inputs, which a network with ReLU6 takes divided by 128.
        biases = rng.standard_normal(layer.biases, dtype=np.float32) * np.float32(20 / backbone.scale)
        arrays[layer.name] = (kernel, biases)
    if backbone.weights_reader == HDF5_READER:
        _write_hdf5(arrays, path, group)
    else:
        path.write_bytes(state_dict_file(_torch_tensors(arrays)))
    return path


def _write_hdf5(arrays: dict[str, tuple[Array, Array]], path: Path, group: str | None) -> None:
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        root.attrs["layer_names"] = [b"input_1", *(name.encode() for name in arrays), b"block5_pool"]
        for name in ("input_1", "block5_pool"):
            root.create_group(name).attrs["weight_names"] = np.array([], dtype="S1")
        for name, (kernel, biases) in arrays.items():
            layer = root.create_group(name)
            layer.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            layer[f"{name}_W_1:0"], layer[f"{name}_b_1:0"] = kernel, biases


def _torch_tensors(arrays: dict[str, tuple[Array, Array]]) -> dict[str, Array]:
    """The names and axes of ``efficientnet-lite-pytorch``, with batch normalisations that only add the biases."""
    tensors: dict[str, Array] = {}
    outer = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    inner = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    for name, (kernel, biases) in arrays.items():
        block, _, part = name.partition("/")
        prefix = f"_blocks.{int(block.removeprefix('block')) - 1}." if part else ""
        conv, normalisation = (prefix + ending for ending in (inner[part] if part else outer[name]))
        axes = (2, 3, 0, 1) if part == "depthwise" else (3, 2, 0, 1)
        tensors[f"{conv}.weight"] = kernel.transpose(axes)
        constants = {"weight": np.ones_like(biases), "bias": biases, "running_mean": 0 * biases,
                     "running_var": np.full_like(biases, 1 - EPSILON)}  # fmt: skip
        tensors |= {f"{normalisation}.{key}": values for key, values in constants.items()}
        tensors[f"{normalisation}.num_batches_tracked"] = np.array(7)
    return tensors | {"_fc.weight": np.zeros((10, 1280), np.float32), "_fc.bias": np.zeros(10, np.float32)}


def photos(count: int) -> list[NDArray[np.uint8]]:
    """Coloured waves of different lengths and directions, none of the network's own size."""
    y, x = np.mgrid[:180, :240] / 180
    drawn = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        waves = np.zeros((180, 240, 3))
        for _ in range(4):
            wave = np.sin(rng.uniform(2, 40) * x + rng.uniform(2, 40) * y + rng.uniform(0, 6))
            waves += wave[..., np.newaxis] * rng.normal(size=3)
        drawn.append(np.clip(128 + 60 * waves, 0, 255).astype(np.uint8))
    return drawn


def centred_cosines(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of each pair of rows about the reference's mean: without it all vectors of a network look alike."""
    a, b = ours - reference.mean(axis=0), reference - reference.mean(axis=0)
    cosines: NDArray[np.float32] = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return cosines

"""Weights files of the published layout with random numbers, and photos to run through them."""

from __future__ import annotations

from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.backbones import Backbone


def write_weights(backbone: Backbone, path: Path, group: str | None = None) -> Path:
    """Random weights in the layout of Keras Applications: kernels keep the variance (He et al. 2015), large biases."""
    rng = np.random.default_rng(7)
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        root.attrs["layer_names"] = [b"input_1", *(name.encode() for name, _ in backbone.kernels), b"block5_pool"]
        for name in ("input_1", "block5_pool"):
            root.create_group(name).attrs["weight_names"] = np.array([], dtype="S1")
        for name, shape in backbone.kernels:
            layer = root.create_group(name)
            layer.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            spread = np.sqrt(2 / np.prod(shape[:3]))
            layer[f"{name}_W_1:0"] = rng.standard_normal(shape, dtype=np.float32) * np.float32(spread)
            layer[f"{name}_b_1:0"] = rng.standard_normal(shape[-1:], dtype=np.float32) * np.float32(20)
    return path


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

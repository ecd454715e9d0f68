"""Read the weights of an EfficientNet-Lite from a state dict of ``efficientnet-lite-pytorch``.

A batch normalisation that is not trained multiplies and shifts each channel by constants (Ioffe & Szegedy 2015,
arXiv:1502.03167), so each is folded into the convolution before it: fewer layers, and the same output.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.networks.torch_state_dict import read_state_dict

EPSILON = 1e-3  # added to the variances, as in the network's training
# By the name of a convolution: ours, and the name of the batch normalisation behind it.
_OUTER = {"_conv_stem": ("stem", "_bn0"), "_conv_head": ("head", "_bn1")}
_INNER = {
    "_expand_conv": ("expand", "_bn0"),
    "_depthwise_conv": ("depthwise", "_bn1"),
    "_project_conv": ("project", "_bn2"),
}
_BLOCK = re.compile(r"_blocks\.(\d{1,3})\.(\w+)")
_CLASSIFIER = ("_fc.weight", "_fc.bias")  # of ImageNet's classes, not used here
_COUNTER = ".num_batches_tracked"
_NORMALISATION = ("weight", "bias", "running_mean", "running_var")


def read_layers(path: Path) -> dict[str, list[NDArray[np.float32]]]:
    """Kernel and biases of each convolution, by our name; tensors of another network keep the names they have.

    Raises BadArtefact for anything but a state dict, KeyError when a convolution lacks its batch normalisation.
    """
    tensors = {name: tensor for name, tensor in read_state_dict(path).items() if not name.endswith(_COUNTER)}
    for name in _CLASSIFIER:
        tensors.pop(name, None)
    layers: dict[str, list[NDArray[np.float32]]] = {}
    for name in [name for name in tensors if name.endswith(".weight")]:
        found = _find_layer(name.removesuffix(".weight"))
        if found is not None:
            ours, normalisation = found
            kernel, constants = tensors.pop(name), [tensors.pop(f"{normalisation}.{part}") for part in _NORMALISATION]
            layers[ours] = _fold(kernel, constants, depthwise=ours.endswith("/depthwise"))
    return layers | {name: [np.asarray(tensor, np.float32)] for name, tensor in tensors.items()}


def _find_layer(name: str) -> tuple[str, str] | None:
    """Our name of a convolution and the full name of its batch normalisation; None when it is no convolution."""
    if name in _OUTER:
        return _OUTER[name]
    match = _BLOCK.fullmatch(name)
    if match is None or match[2] not in _INNER:
        return None
    ours, normalisation = _INNER[match[2]]
    return f"block{int(match[1]) + 1}/{ours}", f"_blocks.{match[1]}.{normalisation}"


def _fold(kernel: NDArray[Any], constants: list[NDArray[Any]], *, depthwise: bool) -> list[NDArray[np.float32]]:
    """Kernel (out, in, height, width) and normalisation to kernel (height, width, in, out) and biases (out,)."""
    scale, shift, mean, variance = (values.astype(np.float64) for values in constants)
    factor = scale / np.sqrt(variance + EPSILON)
    folded = kernel.astype(np.float64) * factor[:, None, None, None]
    axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    return [folded.transpose(axes).astype(np.float32), (shift - mean * factor).astype(np.float32)]

"""Read and check a backbone's weights file, of whatever layout, without the library that wrote it."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact
from pipeline.networks.backbones import Backbone

# By layer: kernel (height, width, in, out) and biases, both float32.
Weights = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def read_weights(backbone: Backbone, path: Path) -> Weights:
    """The weights of every layer of ``backbone``, in its order.

    Raises BadArtefact, with the problem, when the file is missing, truncated, of another network or layout, or contains
    non-finite numbers. Damage that leaves the layout intact is only detected by ``is_published``.
    """
    module, _, function = backbone.weights_reader.partition(":")
    try:
        layers: dict[str, list[NDArray[np.float32]]] = getattr(import_module(module), function)(path)
    except FileNotFoundError:
        raise BadArtefact(f"the weights file {path} of {backbone.name} does not exist") from None
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError, BadArtefact) as error:
        raise BadArtefact(
            f"{path.name} is damaged, truncated or no weights file of {backbone.name} ({error}); "
            f"take {backbone.published.name} ({backbone.published.size:,} bytes)"
        ) from error
    _check_layers(backbone, path, layers)
    return {name: (layers[name][0], layers[name][1]) for name, *_ in backbone.layers}


def _check_layers(backbone: Backbone, path: Path, layers: dict[str, list[NDArray[np.float32]]]) -> None:
    expected = {layer.name: [layer.kernel, (layer.biases,)] for layer in backbone.layers}
    advice = f"take {backbone.published.name}"
    if missing := expected.keys() - layers.keys():
        raise BadArtefact(f"{path.name} is no weights file of {backbone.name}: it lacks {min(missing)}; {advice}")
    if extra := layers.keys() - expected.keys():
        raise BadArtefact(f"{path.name} has layers {backbone.name} does not use here, such as {min(extra)}; {advice}")
    for name, expected_shapes in expected.items():
        shapes = [array.shape for array in layers[name]]
        if shapes != expected_shapes:
            raise BadArtefact(f"{path.name}: {name} has arrays of shape {shapes}, not {expected_shapes}; {advice}")
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

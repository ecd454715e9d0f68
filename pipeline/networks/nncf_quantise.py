"""Quantise to int8: ``python -m pipeline.networks.nncf_quantise BACKBONE FOLDER`` rewrites the network in the folder.

The folder also contains ``photos.npy``: uint8, RGB, shape (n, side, side, 3), from which the activation ranges are
learned. It is a separate program so that nncf's memory and its changes to OpenVINO's logging end with it; ``export.py``
starts it. Method: symmetric 8-bit weights per channel and activations per tensor, then a fast bias correction, the
default of the Neural Network Compression Framework (Kozlov et al. 2020, arXiv:2002.08679).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pipeline.networks.backbones import Backbone, find_backbone, network_input
from pipeline.networks.engine import GRAPH_FILE, openvino_module

PHOTOS_FILE = "photos.npy"


def quantise(backbone: Backbone, folder: Path) -> None:
    """Replace the network in the folder by its int8 version."""
    openvino = openvino_module()
    import nncf

    photos = np.load(folder / PHOTOS_FILE, mmap_mode="r")
    dataset = nncf.Dataset(range(len(photos)), lambda index: network_input(backbone, np.asarray(photos[index])))
    model = openvino.Core().read_model(folder / GRAPH_FILE)
    quantised = nncf.quantize(model, dataset, subset_size=len(photos))
    # Written under another name first: weights may still be memory-mapped from the file to be replaced.
    openvino.save_model(quantised, folder / f"int8-{GRAPH_FILE}", compress_to_fp16=True)
    for suffix in (".xml", ".bin"):
        path = (folder / GRAPH_FILE).with_suffix(suffix)
        path.with_name(f"int8-{path.name}").replace(path)


def main() -> None:
    """Read the two arguments and quantise."""
    name, folder = sys.argv[1:]
    quantise(find_backbone(name), Path(folder))


if __name__ == "__main__":
    main()

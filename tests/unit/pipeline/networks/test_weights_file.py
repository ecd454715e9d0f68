"""Weights files: the published layout is read, everything else is refused in plain words."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest

from pipeline.domain.errors import BadArtefact
from pipeline.domain.published_file import PublishedFile
from pipeline.networks.architectures import ConvLayer, convolution
from pipeline.networks.backbones import Backbone, find_backbone
from pipeline.networks.weights_file import is_published, read_weights
from tests.unit.pipeline.networks.samples import write_weights

# A network of two small layers: the rules are the same, the files a thousand times smaller.
LAYERS = (convolution("first", 3, 3, 4), convolution("second", 3, 4, 8))
TINY: Backbone = replace(find_backbone("vgg16"), width=8, layers=LAYERS)


@pytest.mark.parametrize("group", [None, "model_weights"])
def test_layers_of_the_published_layout_are_read_in_order(tmp_path: Path, group: str | None) -> None:
    weights = read_weights(TINY, write_weights(TINY, tmp_path / "w.h5", group))
    assert list(weights) == ["first", "second"]
    assert [array.shape for array in weights["second"]] == [(3, 3, 4, 8), (8,)]


@pytest.mark.parametrize("kept", [0, 10, 1000, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = write_weights(TINY, tmp_path / "w.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    with pytest.raises(BadArtefact, match="truncated"):
        read_weights(TINY, path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    path.write_text("<html>Not found</html>")
    with pytest.raises(BadArtefact, match="no weights file of vgg16"):
        read_weights(TINY, path)


def test_an_hdf5_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["layers/first/vars/0"] = np.zeros((3, 3, 3, 4))
    with pytest.raises(BadArtefact, match="no weights file of vgg16"):
        read_weights(TINY, tmp_path / "w.h5")


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArtefact, match="does not exist"):
        read_weights(TINY, tmp_path / "w.h5")


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    shorter = replace(TINY, layers=LAYERS[:1])
    with pytest.raises(BadArtefact, match="lacks second"):
        read_weights(TINY, write_weights(shorter, tmp_path / "w.h5"))


def test_a_file_with_the_classifier_on_top_is_refused(tmp_path: Path) -> None:
    with_top = replace(TINY, layers=(*LAYERS, convolution("fc1", 1, 8, 8)))
    with pytest.raises(BadArtefact, match="such as fc1"):
        read_weights(TINY, write_weights(with_top, tmp_path / "w.h5"))


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    transposed = replace(TINY, layers=(ConvLayer("first", (4, 3, 3, 3), 3), LAYERS[1]))
    with pytest.raises(BadArtefact, match="first has arrays of shape"):
        read_weights(TINY, write_weights(transposed, tmp_path / "w.h5"))


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = write_weights(TINY, tmp_path / "w.h5")
    with h5py.File(path, "r+") as file:
        file["second/second_W_1:0"][0, 0, 0, 0] = np.nan
    with pytest.raises(BadArtefact, match="second holds numbers that are not finite"):
        read_weights(TINY, path)


@pytest.mark.parametrize("digest", ["md5", "sha256"])
def test_only_the_published_bytes_count_as_published(tmp_path: Path, digest: str) -> None:
    path = tmp_path / "w.h5"
    path.write_bytes(b"published")
    file = PublishedFile("w.h5", "https://example.org/w.h5", 9, md5="no digest")
    value = hashlib.new(digest, b"published").hexdigest()
    file = replace(file, md5=value) if digest == "md5" else replace(file, sha256=value)
    backbone = replace(TINY, published=file)
    assert is_published(backbone, path)
    path.write_bytes(b"Published")
    assert not is_published(backbone, path)
    path.write_bytes(b"published!")
    assert not is_published(backbone, path)

"""SqueezeNet with its real weights, where they are here: the pinned file, and features that separate products."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from pipeline.features import photo_decoding
from pipeline.features.squeezenet import SqueezeNet
from pipeline.networks.weights_file import is_published, read_weights

# The same weights are exported for the tests of precisions, once in a process.
pytestmark = pytest.mark.xdist_group("published squeezenet")
EACH = 40


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    path = shared_data / "weights" / SqueezeNet.backbone.published.name
    if not path.is_file():
        pytest.skip(f"the weights of squeezenet are not in {path.parent}")
    return path


def test_the_published_file_is_the_pinned_one(published: Path, tmp_path: Path) -> None:
    assert len(read_weights(SqueezeNet.backbone, published)) == 25
    assert is_published(SqueezeNet.backbone, published)
    assert SqueezeNet.check_weights(str(published), tmp_path).published is True


def test_its_features_separate_products(published: Path, shared_data: Path) -> None:
    """A wrong channel order, mean or kernel costs far more than the margin of this bar."""
    by_kind: dict[str, list[Path]] = {}
    with (shared_data / "flipkart" / "listings.csv").open(encoding="utf-8") as file:
        for listing in csv.DictReader(file):
            path = shared_data / "flipkart" / "images" / listing["image"]
            kind = listing["product_category_tree"].strip('["]').split(" >> ")[0]
            if path.is_file():
                by_kind.setdefault(kind, []).append(path)
    read = [(photo_decoding.decode_photo(p.read_bytes()), k) for k in sorted(by_kind) for p in by_kind[k][:EACH]]
    labels = np.array([kind for _, kind in read])
    vectors = SqueezeNet(weights=str(published)).fit([]).transform([each for each, _ in read])
    vectors = StandardScaler().fit_transform(vectors)
    held_out = np.arange(len(labels)) % 4 == 0
    classifier = SVC(C=10).fit(vectors[~held_out], labels[~held_out])
    assert classifier.score(vectors[held_out], labels[held_out]) > 0.7

"""Weights that come with the installation are found in its packages, named with licence and origin."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from pipeline.domain import bundled_weights as module
from pipeline.domain.bundled_weights import WEIGHTS_PACKAGES, all_bundled_weights, bundled_weights
from pipeline.domain.errors import InvalidInput
from pipeline.domain.extractors import EXTRACTORS, ExtractorSpec

BUNDLED = [spec for spec in EXTRACTORS if spec.bundled]


@pytest.mark.parametrize("spec", BUNDLED, ids=lambda spec: spec.name)
def test_weights_are_a_file_of_the_package_and_say_whose_they_are(spec: ExtractorSpec) -> None:
    weights = bundled_weights(spec.name)
    assert weights is not None
    assert weights.path.is_file()
    assert len(weights.sha256) == 64
    assert weights.version == metadata.version(str(spec.bundled))
    assert str(weights) == f"{weights.package.origin}, Apache-2.0, from the package {spec.bundled} {weights.version}"
    assert weights in all_bundled_weights()


def test_every_package_is_named_in_the_notice() -> None:
    notice = (Path(__file__).parents[4] / "NOTICE").read_text()
    for package in WEIGHTS_PACKAGES:
        for fact in (package.distribution, package.licence, package.origin):
            assert fact in notice


def test_without_the_package_there_are_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    module._find_installed.cache_clear()
    try:
        assert bundled_weights("efficientnet") is None
        assert all_bundled_weights() == []
    finally:
        module._find_installed.cache_clear()


def test_extractors_without_bundled_weights_have_none() -> None:
    assert bundled_weights("fisher") is None
    assert bundled_weights("vgg16") is None
    with pytest.raises(InvalidInput):
        bundled_weights("unknown")

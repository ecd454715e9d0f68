"""ModelVersion: the whole bundle that answers for a taxonomy, and the manifest that explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ModelStatus(StrEnum):
    """A version is trained as a candidate; at most one is active per taxonomy."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a model version comes from, so that every number it gives can be traced.

    ``metrics`` holds the held-out figures per modality; ``data_fingerprint`` is the SHA-256 of the examples' keys,
    contents and categories; ``files`` maps each artefact's name to its SHA-256.
    """

    taxonomy: str
    level: int
    categories: tuple[str, ...]
    extractors: Mapping[str, Mapping[str, Any]]
    libraries: Mapping[str, str]
    data_fingerprint: str
    examples: int
    seed: int
    metrics: Mapping[str, Any]
    thresholds: Mapping[str, float]
    files: Mapping[str, str]

"""ModelVersion: the whole bundle that answers for a taxonomy, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ModelStatus(StrEnum):
    """A version is trained as a candidate; at most one is active per taxonomy."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The model version a taxonomy points to, and the digests of its artefacts."""

    model_id: int
    version: str
    digests: Mapping[str, str]

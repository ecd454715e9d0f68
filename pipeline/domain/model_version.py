"""Model versions of a taxonomy: their status, and the active one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ModelStatus(StrEnum):
    """The status of a version: a candidate once trained; at most one per taxonomy is active."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The active model version of a taxonomy, and the SHA-256 digests of its files by name."""

    model_id: int
    version: str
    digests: Mapping[str, str]

"""ModelVersion: the whole bundle that answers for a taxonomy, and where it stands."""

from __future__ import annotations

from enum import StrEnum


class ModelStatus(StrEnum):
    """A version is trained as a candidate; at most one is active per taxonomy."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"

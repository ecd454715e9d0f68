"""Retention: how long rows are kept that are no longer needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ExpiringRows(StrEnum):
    """Tables whose old rows are deleted. Rows of open jobs and of a listing's history are kept."""

    EVENTS = "events"
    IDEMPOTENCY_KEYS = "idempotency_keys"
    ATTEMPTS = "attempts"
    IMPORT_ROWS = "import_rows"
    IMPORT_DIFFERENCES = "import_differences"
    HOST_SLOTS = "host_slots"
    HOST_HEALTH = "host_health"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The number of days for which the rows of each table are kept, and for which studies and their files are."""

    days: Mapping[ExpiringRows, int]
    study_days: int

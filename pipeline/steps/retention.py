"""Retention: delete rows and studies beyond their age limits, in chunks, so that locks are held briefly."""

from __future__ import annotations

from pipeline.domain.job import JobKind
from pipeline.domain.retention import ExpiringRows, RetentionPolicy
from pipeline.domain.study import study_key
from pipeline.ports.services import ObjectStorage
from pipeline.ports.unit_of_work import UnitsOfWork

CHUNK_SIZE = 2_000  # rows deleted per transaction


def request_purge(units: UnitsOfWork, period: int) -> bool:
    """Add the purge job of a period unless there is one; returns whether it was added."""
    with units() as unit:
        job_id = unit.long_jobs.add(JobKind.PURGE, {"period": period}, unique_key=f"{JobKind.PURGE}:{period}")
        unit.commit()
        return job_id is not None


def purge(units: UnitsOfWork, storage: ObjectStorage, policy: RetentionPolicy) -> dict[str, int]:
    """Delete expired rows and studies; returns their number by table.

    The files of a study are deleted before its row. The latest study of a taxonomy is kept, however old it is.
    """
    deleted = {rows.value: _delete_expired(units, rows, policy.days[rows]) for rows in ExpiringRows}
    with units() as unit:
        expired_ids = unit.retention.expired_studies(policy.study_days)
    for study_id in expired_ids:
        for file in list(storage.keys(study_key(study_id))):
            storage.delete(file.key)
        with units() as unit:
            unit.retention.delete_study(study_id)
            unit.commit()
    return {**deleted, "studies": len(expired_ids)}


def _delete_expired(units: UnitsOfWork, rows: ExpiringRows, days: int) -> int:
    total, deleted = 0, CHUNK_SIZE
    while deleted == CHUNK_SIZE:
        with units() as unit:
            deleted = unit.retention.delete_expired(rows, days, CHUNK_SIZE)
            unit.commit()
        total += deleted
    return total

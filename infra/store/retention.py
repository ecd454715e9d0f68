"""Retention on Postgres: deletes expired rows, a limited number at a time."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from pipeline.domain.retention import ExpiringRows

# Conditions with the parameter :days. Rows that open work or a listing's history needs do not expire.
EXPIRED: Mapping[ExpiringRows, str] = {
    ExpiringRows.EVENTS: "created_at < now() - make_interval(days => :days)",
    ExpiringRows.IDEMPOTENCY_KEYS: "created_at < now() - make_interval(days => :days)",
    ExpiringRows.ATTEMPTS: "ended_at < now() - make_interval(days => :days)",
    ExpiringRows.IMPORT_ROWS: (
        "import_id IN (SELECT id FROM imports WHERE ended_at < now() - make_interval(days => :days))"
    ),
    ExpiringRows.IMPORT_DIFFERENCES: (
        "import_id IN (SELECT id FROM imports WHERE ended_at < now() - make_interval(days => :days))"
    ),
    # A slot in use is free at a time in the future. The slots of a host expire together and are recreated on demand.
    ExpiringRows.HOST_SLOTS: (
        "NOT EXISTS (SELECT 1 FROM host_slots used WHERE used.host = host_slots.host "
        "AND used.free_at >= now() - make_interval(days => :days))"
    ),
    # Every failure sets the time; a host that has answered since has none, and its row need not be kept.
    ExpiringRows.HOST_HEALTH: "coalesce(left_alone_until, '-infinity') < now() - make_interval(days => :days)",
}
SELECT_EXPIRED_STUDIES = text(
    """
    SELECT s.id FROM studies s WHERE s.ended_at < now() - make_interval(days => :days)
    AND EXISTS (SELECT 1 FROM studies n WHERE n.taxonomy_id = s.taxonomy_id AND n.id > s.id AND n.status = 'done')
    ORDER BY s.id
    """
)
DELETE_STUDY = text("DELETE FROM studies WHERE id = :id")


class SqlRetention:
    """Implements ``pipeline.ports.administration_repositories.RetentionRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def delete_expired(self, rows: ExpiringRows, days: int, limit: int) -> int:
        """Delete at most ``limit`` of these rows that are older than ``days``; returns how many."""
        statement = text(
            f"DELETE FROM {rows} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {rows} WHERE {EXPIRED[rows]} LIMIT :limit))"
        )
        return self._connection.execute(statement, {"days": days, "limit": limit}).rowcount

    def expired_studies(self, days: int) -> list[int]:
        """Studies that ended more than ``days`` ago, if a later study of their taxonomy is done."""
        return list(self._connection.scalars(SELECT_EXPIRED_STUDIES, {"days": days}))

    def delete_study(self, study_id: int) -> None:
        """Delete a study and its trials."""
        self._connection.execute(DELETE_STUDY, {"id": study_id})

"""API keys on Postgres, by the hash of their secret."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from infra.store.sql import storable
from pipeline.domain.api_key import ApiKey, KeyRequest, Scope

SELECT_ANY = text("SELECT EXISTS (SELECT 1 FROM api_keys)")
INSERT_KEY = text(
    """
    INSERT INTO api_keys (name, hash, scopes, every_source)
    VALUES (:name, :hash, CAST(:scopes AS text[]), :every_source) RETURNING id, created_at
    """
)
INSERT_SOURCES = text(
    "INSERT INTO api_key_sources (api_key_id, source_id) SELECT :key, unnest(CAST(:sources AS bigint[]))"
)
LOCK_ADMINS = text(
    f"SELECT id FROM api_keys WHERE revoked_at IS NULL AND '{Scope.ADMIN}' = ANY (scopes) ORDER BY id FOR UPDATE"
)
REVOKE_KEY = text("UPDATE api_keys SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL")


class SqlKeys:
    """Implements ``pipeline.ports.administration.KeyRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def any(self) -> bool:
        """Whether there is any key, revoked ones included."""
        return bool(self._connection.scalar(SELECT_ANY))

    def add(self, request: KeyRequest, secret_hash: str, source_ids: Sequence[int]) -> ApiKey:
        """Add a key for these sources (empty for a key that covers every source)."""
        row = self._connection.execute(
            INSERT_KEY,
            {
                "name": storable(request.name),
                "hash": secret_hash,
                "scopes": list(request.scopes),
                "every_source": request.sources is None,
            },
        ).one()
        self._connection.execute(INSERT_SOURCES, {"key": row.id, "sources": sorted(set(source_ids))})
        return ApiKey(row.id, request.name, request.scopes, request.sources, row.created_at, None)

    def lock_admins(self) -> list[int]:
        """Ids of the valid admin keys, locked."""
        return list(self._connection.scalars(LOCK_ADMINS))

    def revoke(self, key_id: int) -> bool:
        """Revoke a key; False when there is no valid one with this id."""
        return self._connection.execute(REVOKE_KEY, {"id": key_id}).rowcount == 1

"""API keys: tables, repository (creation and revocation), and what a key allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKey, Row, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp
from infra.store.sql_fragments import storable
from pipeline.domain.api_key import ApiKey, Grant, KeyRequest, Scope, hash_secret


class ApiKeyRow(Base):
    """A key, with the SHA-256 of its secret. ``every_source`` is for admins and tools; others list their sources."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("scopes <@ ARRAY['submit', 'read', 'admin'] AND cardinality(scopes) > 0", name="scopes"),
    )

    id: Mapped[PrimaryKey]
    name: Mapped[TextStr]
    hash: Mapped[TextStr] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    every_source: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    revoked_at: Mapped[Timestamp | None]


key_sources = Table(
    "api_key_sources",
    Base.metadata,
    Column("api_key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True, index=True),
)


SELECT_ANY_KEY_EXISTS = text("SELECT EXISTS (SELECT 1 FROM api_keys)")
INSERT_KEY = text(
    """
    INSERT INTO api_keys (name, hash, scopes, every_source)
    VALUES (:name, :hash, CAST(:scopes AS text[]), :every_source) RETURNING id, created_at
    """
)
INSERT_KEY_SOURCES = text(
    "INSERT INTO api_key_sources (api_key_id, source_id) SELECT :key, unnest(CAST(:sources AS bigint[]))"
)
LOCK_ADMINS = text(
    f"SELECT id FROM api_keys WHERE revoked_at IS NULL AND '{Scope.ADMIN}' = ANY (scopes) ORDER BY id FOR UPDATE"
)
REVOKE_KEY = text("UPDATE api_keys SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL")


class SqlKeys:
    """Implements ``pipeline.ports.administration_repositories.KeyRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def any(self) -> bool:
        """Whether there is any key, including revoked ones."""
        return bool(self._connection.scalar(SELECT_ANY_KEY_EXISTS))

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
        self._connection.execute(INSERT_KEY_SOURCES, {"key": row.id, "sources": sorted(set(source_ids))})
        return ApiKey(row.id, request.name, request.scopes, request.sources, row.created_at, None)

    def lock_admins(self) -> list[int]:
        """Ids of the valid admin keys, locked."""
        return list(self._connection.scalars(LOCK_ADMINS))

    def revoke(self, key_id: int) -> bool:
        """Revoke a key; False when there is no valid one with this id."""
        return self._connection.execute(REVOKE_KEY, {"id": key_id}).rowcount == 1


SELECT_GRANT = """
    SELECT k.id, k.name, k.scopes, k.every_source,
           ARRAY(SELECT source_id FROM api_key_sources s WHERE s.api_key_id = k.id) AS source_ids
    FROM api_keys k WHERE k.revoked_at IS NULL
"""
SELECT_GRANT_BY_HASH = text(f"{SELECT_GRANT} AND k.hash = :hash")
SELECT_GRANT_BY_ID = text(f"{SELECT_GRANT} AND k.id = :id")
SELECT_KEYS = text(
    """
    SELECT k.id, k.name, k.scopes, k.every_source, k.created_at, k.revoked_at,
           ARRAY(SELECT s.name FROM api_key_sources ks JOIN sources s ON s.id = ks.source_id
                 WHERE ks.api_key_id = k.id ORDER BY s.name) AS sources
    FROM api_keys k ORDER BY k.id
    """
)


def find_grant(connection: Connection, secret: str) -> Grant | None:
    """What the key with this secret allows; None when it is unknown or revoked."""
    return _grant(connection.execute(SELECT_GRANT_BY_HASH, {"hash": hash_secret(secret)}).first())


def grant_of_key(connection: Connection, key_id: int) -> Grant | None:
    """What the key with this id allows; None when it is unknown or revoked."""
    return _grant(connection.execute(SELECT_GRANT_BY_ID, {"id": key_id}).first())


def list_keys(connection: Connection) -> list[ApiKey]:
    """All keys, including revoked ones, in order of creation."""
    return [
        ApiKey(
            row.id,
            row.name,
            tuple(Scope(scope) for scope in row.scopes),
            None if row.every_source else tuple(row.sources),
            row.created_at,
            row.revoked_at,
        )
        for row in connection.execute(SELECT_KEYS)
    ]


def _grant(row: Row[Any] | None) -> Grant | None:
    if row is None:
        return None
    source_ids = None if row.every_source else frozenset(row.source_ids)
    return Grant(row.id, row.name, frozenset(Scope(scope) for scope in row.scopes), source_ids)

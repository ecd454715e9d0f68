"""API keys as lists show them, and what a key allows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.domain.api_key import ApiKey, Grant, Scope, hash_secret

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
    """All keys, revoked ones included, in the order they were created."""
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

"""API keys: made once, shown once, kept as a hash; each has scopes and the sources it may touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from infra.store.taxonomies.repository import ensure_source
from pipeline.domain.api_key import NAME_LIMIT, PREFIX, SECRET_BYTES, Grant, Scope, hash_secret, new_secret
from pipeline.domain.errors import Conflict, InvalidInput


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key; ``secret`` is shown this once and kept nowhere."""

    id: int
    secret: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as lists show it: everything but the secret. ``sources`` is None for every source."""

    id: int
    name: str
    scopes: tuple[str, ...]
    sources: tuple[str, ...] | None
    created_at: datetime
    revoked_at: datetime | None


FIND = text(
    """
    SELECT k.id, k.name, k.scopes, k.every_source,
           ARRAY(SELECT source_id FROM api_key_sources s WHERE s.api_key_id = k.id) AS source_ids
    FROM api_keys k WHERE k.hash = :hash AND k.revoked_at IS NULL
    """
)
LIST = text(
    """
    SELECT k.id, k.name, k.scopes, k.every_source, k.created_at, k.revoked_at,
           ARRAY(SELECT s.name FROM api_key_sources ks JOIN sources s ON s.id = ks.source_id
                 WHERE ks.api_key_id = k.id ORDER BY s.name) AS sources
    FROM api_keys k WHERE :only IS NULL OR k.id = CAST(:only AS bigint) ORDER BY k.id
    """
)
# Locked, so that two who revoke each other's do not leave none.
ADMINS = text("SELECT id FROM api_keys WHERE revoked_at IS NULL AND :admin = ANY (scopes) ORDER BY id FOR UPDATE")


def create_key(
    connection: Connection,
    name: str,
    scopes: Sequence[str],
    sources: Sequence[str] | None = None,
    secret: str | None = None,
) -> CreatedKey:
    """Make a key; the caller commits. ``sources`` are names, created when new; None means every source.

    Raises InvalidInput for unknown scopes, for no source at all, and for an admin key bound to sources: an admin
    makes keys, so the bounds would hold nobody.
    """
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > NAME_LIMIT:
        raise InvalidInput(f"a key needs a name of 1 to {NAME_LIMIT} characters")
    if not scopes or set(scopes) - set(Scope):
        raise InvalidInput(f"the scopes of a key are some of: {', '.join(Scope)}")
    if sources is not None and not sources:
        raise InvalidInput("a key bound to no source could do nothing; name its sources, or leave them out for all")
    if sources is not None and Scope.ADMIN in scopes:
        raise InvalidInput("an admin key covers every source; leave the sources out")
    secret = secret or new_secret()
    if not secret.startswith(PREFIX) or len(secret) < len(PREFIX) + SECRET_BYTES:
        raise InvalidInput(f"the secret of a key starts with {PREFIX} and has at least {SECRET_BYTES} characters more")
    key_id = connection.execute(
        text(
            "INSERT INTO api_keys (name, hash, scopes, every_source) "
            "VALUES (:name, :hash, CAST(:scopes AS text[]), :every) RETURNING id"
        ),
        {
            "name": name,
            "hash": hash_secret(secret),
            "scopes": sorted({str(s) for s in scopes}),
            "every": sources is None,
        },
    ).scalar_one()
    for source in sorted(set(sources or ())):
        connection.execute(
            text("INSERT INTO api_key_sources (api_key_id, source_id) VALUES (:key, :source) ON CONFLICT DO NOTHING"),
            {"key": key_id, "source": ensure_source(connection, source).id},
        )
    return CreatedKey(key_id, secret)


def find_grant(connection: Connection, secret: str) -> Grant | None:
    """What this secret allows; None when it is unknown or revoked."""
    row = connection.execute(FIND, {"hash": hash_secret(secret)}).first()
    if row is None:
        return None
    source_ids = None if row.every_source else frozenset(row.source_ids)
    return Grant(row.id, row.name, frozenset(Scope(s) for s in row.scopes), source_ids)


def revoke_key(connection: Connection, key_id: int, even_last_admin: bool = True) -> bool:
    """Refuse the key from now on; False when there is none that is still good. The caller commits.

    Raises Conflict for the last admin key unless ``even_last_admin``: nobody could make another one over HTTP.
    """
    if not even_last_admin and list(connection.scalars(ADMINS, {"admin": Scope.ADMIN})) == [key_id]:
        raise Conflict(f"key {key_id} is the last one with the scope '{Scope.ADMIN}'; make another one first")
    revoked = connection.execute(
        text("UPDATE api_keys SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL"), {"id": key_id}
    )
    return revoked.rowcount == 1


def list_keys(connection: Connection, only: int | None = None) -> list[KeyRecord]:
    """All keys, revoked ones too, or the one asked for."""
    return [
        KeyRecord(
            row.id,
            row.name,
            tuple(row.scopes),
            None if row.every_source else tuple(row.sources),
            row.created_at,
            row.revoked_at,
        )
        for row in connection.execute(LIST, {"only": only})
    ]

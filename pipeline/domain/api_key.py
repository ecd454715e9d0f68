"""API keys: a random secret, stored as a hash, with scopes and the sources that the key covers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipeline.domain.errors import InvalidInput

PREFIX = "rk_"
SECRET_BYTES = 32
NAME_LIMIT = 200


class Scope(StrEnum):
    """The permissions of a key; ``admin`` includes the others."""

    SUBMIT = "submit"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Grant:
    """The permissions of a valid key. ``source_ids`` is None for a key that covers every source."""

    key_id: int
    name: str
    scopes: frozenset[Scope]
    source_ids: frozenset[int] | None

    def allows(self, scope: Scope) -> bool:
        """Whether the key has the scope, or the scope ``admin``."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def covers(self, source_id: int) -> bool:
        """Whether the key may read and write listings of this source."""
        return self.source_ids is None or source_id in self.source_ids


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret, as shown in lists. ``sources`` are names, None for every source."""

    id: int
    name: str
    scopes: tuple[Scope, ...]
    sources: tuple[str, ...] | None
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A valid request to create a key. ``sources`` are names, None for every source; missing sources are created."""

    name: str
    scopes: tuple[Scope, ...]
    sources: tuple[str, ...] | None = None

    @classmethod
    def of(cls, name: str, scopes: Sequence[str], sources: Sequence[str] | None = None) -> KeyRequest:
        """Validate the fields of a request.

        Raises InvalidInput for a missing or long name, for missing or unknown scopes, for an empty list of sources, and
        for an admin key restricted to sources: it can create other keys, so the restriction would not hold.
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
        sorted_scopes = tuple(Scope(scope) for scope in sorted(set(scopes)))
        return cls(name, sorted_scopes, None if sources is None else tuple(sorted(set(sources))))


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key; ``secret`` is shown once and never stored."""

    key: ApiKey
    secret: str


def new_secret() -> str:
    """A secret that cannot be guessed: ``rk_`` and 32 random bytes in URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def check_secret(secret: str) -> None:
    """Raise InvalidInput for a secret that does not have the format of ``new_secret``."""
    if not secret.startswith(PREFIX) or len(secret) < len(PREFIX) + SECRET_BYTES:
        raise InvalidInput(f"the secret of a key starts with {PREFIX} and has at least {SECRET_BYTES} characters more")


def hash_secret(secret: str) -> str:
    """SHA-256 (hex) of a secret. A slow password hash is not needed for 32 random bytes."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()

"""API keys in memory."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.api_key import ApiKey, KeyRequest, Scope
from tests.fakes.tables import StoredKey, Tables


class MemoryKeys:
    """Implements ``pipeline.ports.administration_repositories.KeyRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def any(self) -> bool:
        """Whether there is any key."""
        return bool(self._tables.keys)

    def add(self, request: KeyRequest, secret_hash: str, source_ids: Sequence[int]) -> ApiKey:
        """Add a key for these sources."""
        key_id = self._tables.next_id()
        self._tables.keys[key_id] = StoredKey(key_id, request, secret_hash, tuple(source_ids))
        return ApiKey(key_id, request.name, request.scopes, request.sources, self._tables.moment, None)

    def lock_admins(self) -> list[int]:
        """Ids of the valid admin keys."""
        keys = self._tables.keys.values()
        return [key.id for key in keys if Scope.ADMIN in key.request.scopes and not key.revoked]

    def revoke(self, key_id: int) -> bool:
        """Revoke a key; False when there is no valid one with this id."""
        key = self._tables.keys.get(key_id)
        if key is None or key.revoked:
            return False
        key.revoked = True
        return True

"""API keys: create them with a secret that is shown only once, and revoke them."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.api_key import ApiKey, CreatedKey, KeyRequest, check_secret, hash_secret, new_secret
from pipeline.domain.errors import Conflict, NotFound
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork
from pipeline.steps.source_registration import find_or_add_source_in


def create_key(units: UnitsOfWork, request: KeyRequest) -> CreatedKey:
    """Create a key, and its sources if they are missing; the secret is returned and not stored."""
    secret = new_secret()
    with units() as unit:
        key = _add(unit, request, secret)
        unit.commit()
        return CreatedKey(key, secret)


def create_first_key(
    units: UnitsOfWork, request: KeyRequest, secret: str, keep_secret: Callable[[str], None]
) -> ApiKey | None:
    """Create a key with this secret; None if there are keys already.

    ``keep_secret`` is called before the commit, so that no key is stored whose secret is lost. Raises InvalidInput for
    a malformed secret.
    """
    with units() as unit:
        if unit.keys.any():
            return None
        check_secret(secret)
        keep_secret(secret)
        key = _add(unit, request, secret)
        unit.commit()
        return key


def revoke_key(units: UnitsOfWork, key_id: int, *, even_last_admin: bool) -> None:
    """Revoke a key, so that its next request is refused; raises NotFound when there is no valid key with this id.

    Raises Conflict for the last admin key unless ``even_last_admin``: without one, no key can be created over HTTP.
    """
    with units() as unit:
        # The lock prevents two admins from revoking each other's keys at the same time, which would leave none.
        if not even_last_admin and unit.keys.lock_admins() == [key_id]:
            raise Conflict(f"key {key_id} is the last one with the scope 'admin'; create another one first")
        if not unit.keys.revoke(key_id):
            raise NotFound(f"there is no valid key {key_id}")
        unit.commit()


def _add(unit: UnitOfWork, request: KeyRequest, secret: str) -> ApiKey:
    source_ids = [find_or_add_source_in(unit, name).id for name in request.sources or ()]
    return unit.keys.add(request, hash_secret(secret), source_ids)

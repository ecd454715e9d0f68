"""What API keys promise: a secret that is shown once and kept as a hash, and never no admin by accident."""

from __future__ import annotations

import pytest

from pipeline.domain.api_key import KeyRequest, Scope, hash_secret, new_secret
from pipeline.domain.errors import Conflict, InvalidInput, NotFound
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.keys import create_first_key, create_key, revoke_key
from tests.contracts.records import Records

ADMIN = KeyRequest.of("admin", ["admin"])
SELLER = KeyRequest.of("seller", ["submit", "read"], ["shop", "market"])


def test_a_key_is_kept_by_its_hash_and_its_sources_exist(units: UnitsOfWork, records: Records) -> None:
    created = create_key(units, SELLER)
    assert records.api_keys() == [(created.key.id, hash_secret(created.secret), False)]
    assert (created.key.name, created.key.scopes) == ("seller", (Scope.READ, Scope.SUBMIT))
    assert (created.key.sources, created.key.revoked_at) == (("market", "shop"), None)
    assert create_key(units, SELLER).secret != created.secret
    with units() as unit:
        assert unit.sources.find("shop") is not None
        assert unit.sources.find("market") is not None


def test_a_revoked_key_is_not_revoked_again(units: UnitsOfWork, records: Records) -> None:
    key_id = create_key(units, SELLER).key.id
    revoke_key(units, key_id, even_last_admin=False)
    assert [revoked for *_, revoked in records.api_keys()] == [True]
    with pytest.raises(NotFound):
        revoke_key(units, key_id, even_last_admin=False)
    with pytest.raises(NotFound):
        revoke_key(units, key_id + 1_000_000, even_last_admin=True)


def test_the_last_admin_key_is_revoked_only_on_purpose(units: UnitsOfWork, records: Records) -> None:
    first, second = create_key(units, ADMIN).key.id, create_key(units, ADMIN).key.id
    create_key(units, SELLER)
    revoke_key(units, first, even_last_admin=False)
    with pytest.raises(Conflict, match="last one"):
        revoke_key(units, second, even_last_admin=False)
    assert [revoked for *_, revoked in records.api_keys()] == [True, False, False]
    revoke_key(units, second, even_last_admin=True)
    assert [revoked for *_, revoked in records.api_keys()] == [True, True, False]


def test_the_first_key_is_created_once_and_its_secret_kept_before(units: UnitsOfWork, records: Records) -> None:
    secret, kept = new_secret(), list[str]()

    def keep(shown: str) -> None:
        assert records.api_keys() == [], "not committed yet"
        kept.append(shown)

    first = create_first_key(units, ADMIN, secret, keep)
    assert first is not None
    assert (kept, records.api_keys()) == ([secret], [(first.id, hash_secret(secret), False)])
    revoke_key(units, first.id, even_last_admin=True)
    assert create_first_key(units, ADMIN, new_secret(), keep) is None, "there was one"
    assert kept == [secret]


def test_a_key_whose_secret_cannot_be_kept_does_not_exist(units: UnitsOfWork, records: Records) -> None:
    def keep(secret: str) -> None:
        raise OSError(f"no place for {len(secret)} characters")

    with pytest.raises(OSError, match="no place"):
        create_first_key(units, ADMIN, new_secret(), keep)
    with pytest.raises(InvalidInput, match="starts with rk_"):
        create_first_key(units, ADMIN, "guessable", lambda _: None)
    assert records.api_keys() == []

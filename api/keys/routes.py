"""API keys: an admin creates, lists and revokes them."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Admin
from api.context import Context
from api.parameters import Clean, RecordId
from infra.store.keys import list_keys
from pipeline.domain.api_key import KeyRequest, Scope
from pipeline.steps import keys

router = APIRouter(prefix="/v1/keys", tags=["keys"])


class NewKeyRequest(BaseModel):
    """The key to create."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "shop", "scopes": ["submit", "read"], "sources": ["marketplace"]}]},
    )

    name: Clean
    scopes: list[Scope]
    sources: list[Clean] | None = Field(
        None, description="names of sources, which are added if they do not exist; null covers every source"
    )


class KeyResponse(BaseModel):
    """A key without its secret; ``sources`` is null if it covers every source."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    scopes: list[str]
    sources: list[str] | None
    created_at: datetime
    revoked_at: datetime | None


class NewKeyResponse(KeyResponse):
    """A new key with its secret, which is never shown again."""

    secret: str


@router.post("", status_code=HTTPStatus.CREATED)
def make_key(requested: NewKeyRequest, context: Context, _grant: Admin) -> NewKeyResponse:
    """Create a key; only this response contains its secret."""
    created = keys.create_key(context.units, KeyRequest.of(requested.name, requested.scopes, requested.sources))
    return NewKeyResponse(**KeyResponse.model_validate(created.key).model_dump(), secret=created.secret)


@router.get("")
def show_keys(context: Context, _grant: Admin) -> list[KeyResponse]:
    """All keys, including revoked ones."""
    with context.engine.connect() as connection:
        return [KeyResponse.model_validate(key) for key in list_keys(connection)]


@router.delete("/{key_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_key(key_id: RecordId, context: Context, _grant: Admin) -> None:
    """Revoke a key: its next request gets 401. 409 for the last key with the scope admin."""
    keys.revoke_key(context.units, key_id, even_last_admin=False)

"""API keys: made, listed and revoked by an admin."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Admin
from api.context import Context
from api.listings.schemas import Clean
from api.pagination import LARGEST_ID
from infra.store.keys.repository import create_key, list_keys, revoke_key
from pipeline.domain.api_key import Scope
from pipeline.domain.errors import NotFound

router = APIRouter(prefix="/v1/keys", tags=["keys"])


class WantedKey(BaseModel):
    """The key to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "shop", "scopes": ["submit", "read"], "sources": ["marketplace"]}]},
    )

    name: Clean
    scopes: list[Scope]
    sources: list[Clean] | None = Field(None, description="names, created when new; null covers every source")


class KeyShown(BaseModel):
    """A key without its secret; ``sources`` is null when it covers every source."""

    id: int
    name: str
    scopes: list[str]
    sources: list[str] | None
    created_at: datetime
    revoked_at: datetime | None


class NewKeyShown(KeyShown):
    """A key with its secret, which is shown this once."""

    secret: str


@router.post("", status_code=HTTPStatus.CREATED, response_model=NewKeyShown)
def make_key(wanted: WantedKey, context: Context, grant: Admin) -> dict[str, Any]:
    """Make a key; its secret is in this answer and nowhere else."""
    with context.engine.begin() as connection:
        made = create_key(connection, wanted.name, wanted.scopes, wanted.sources)
        record = list_keys(connection, made.id)[0]
    return asdict(record) | {"secret": made.secret}


@router.get("", response_model=list[KeyShown])
def show_keys(context: Context, grant: Admin) -> list[dict[str, Any]]:
    """All keys, revoked ones too."""
    with context.engine.connect() as connection:
        return [asdict(record) for record in list_keys(connection)]


@router.delete("/{key_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_key(key_id: Annotated[int, Path(ge=1, le=LARGEST_ID)], context: Context, grant: Admin) -> None:
    """Revoke a key: its next request gets 401. 409 for the last one with the scope admin."""
    with context.engine.begin() as connection:
        if not revoke_key(connection, key_id, even_last_admin=False):
            raise NotFound(f"there is no key {key_id} that is still good")

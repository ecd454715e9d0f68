"""Types of fields and parameters shared by several resources, and the idempotency key of a request."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from fastapi import Header, Path, Query
from pydantic import BaseModel, BeforeValidator

from api.pagination import MAX_ID
from pipeline.domain.api_key import Grant
from pipeline.domain.display_text import has_visible_character
from pipeline.ports.repositories import IdempotencyKey


def cleaned(value: object) -> object:
    """Trim a text and remove NUL and lone surrogates, which Postgres cannot store; empty if nothing in it is visible.

    Values of other types are returned unchanged.
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
    return text if has_visible_character(text) else ""


Clean = Annotated[str, BeforeValidator(cleaned)]
Words = Annotated[Clean, Query(max_length=500)]
RecordId = Annotated[int, Path(ge=1, le=MAX_ID)]
IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="A repeated request with the same key and body gets the first response and changes nothing.",
    ),
]


def idempotency_key_of(grant: Grant, header: str | None, body: bytes | BaseModel) -> IdempotencyKey | None:
    """The idempotency key of a request, bound to a hash of its body; None without the header."""
    if header is None:
        return None
    content = body if isinstance(body, bytes) else json.dumps(body.model_dump(), sort_keys=True).encode()
    return IdempotencyKey(grant.key_id, header, hashlib.sha256(content).hexdigest())

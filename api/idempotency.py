"""The header ``Idempotency-Key``: a request that may be repeated, and gets the answer that it got first."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from fastapi import Header
from pydantic import BaseModel

from pipeline.domain.api_key import Grant
from pipeline.domain.idempotency import IdempotencyKey

IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key and body again give the same answer and change nothing.",
    ),
]


def idempotency_key_of(grant: Grant, header: str | None, body: bytes | BaseModel) -> IdempotencyKey | None:
    """The key of a request, bound to its body; None without the header."""
    if header is None:
        return None
    content = body if isinstance(body, bytes) else json.dumps(body.model_dump(), sort_keys=True).encode()
    return IdempotencyKey(grant.key_id, header, hashlib.sha256(content).hexdigest())

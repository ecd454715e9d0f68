"""Idempotency keys, and the answers kept for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# What is kept for a key: any JSON object, whose shape only the use case that made it knows.
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key of one owner (an API key), bound to the hash of the request's body."""

    owner: int
    key: str
    body_hash: str

"""What passes between the record and the steps: submissions and receipts, claimed jobs and their endings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """An idempotency key: the same owner and key give the same answer; another body is a Conflict."""

    owner: int
    key: str
    body_hash: str

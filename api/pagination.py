"""Opaque cursors: the position where a page ended (a sort key), as base64 of JSON, validated when decoded."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Query

from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

MAX_CURSOR_LENGTH = 200
MAX_ID = 2**63 - 1
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="`next` of the previous page")]


def encode_cursor(sort_key: Sequence[int | float]) -> str:
    """Encode the sort key of a list item as opaque text."""
    return base64.urlsafe_b64encode(json.dumps(list(sort_key)).encode()).decode().rstrip("=")


def cursor_after(rows: Sequence[object], limit: int, *names: str) -> str | None:
    """The cursor after the first ``limit`` rows of a list sorted by the fields ``names``; None if there are no more.

    By default the list is sorted by ``id``.
    """
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return encode_cursor([last[n] if isinstance(last, Mapping) else getattr(last, n) for n in names or ("id",)])


def id_of(cursor: str | None) -> int | None:
    """The id in the cursor of a list sorted by id; None without a cursor."""
    return int(decode_cursor(cursor, [int])[0]) if cursor else None


def decode_cursor(cursor: str, types: Sequence[type]) -> list[Any]:
    """The sort key in a cursor; InvalidInput if it is damaged or its numbers are not of these ``types``."""
    damaged = InvalidInput(Reason(ReasonCode.CURSOR_DAMAGED))
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise damaged
    try:
        sort_key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise damaged from None
    if not isinstance(sort_key, list) or len(sort_key) != len(types):
        raise damaged
    for number, expected_type in zip(sort_key, types, strict=True):
        matches = type(number) is expected_type or (expected_type is float and type(number) is int)
        if not matches or not -MAX_ID <= number <= MAX_ID:
            raise damaged
    return sort_key

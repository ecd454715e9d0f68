"""Opaque cursors: the place where a page ended, as base64 of JSON, validated when they are read."""

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
Cursor = Annotated[str | None, Query(description="`next` of the page before")]


def encode_cursor(place: Sequence[int | float]) -> str:
    """A place in a list (its sort key) as opaque text."""
    return base64.urlsafe_b64encode(json.dumps(list(place)).encode()).decode().rstrip("=")


def cursor_after(found: Sequence[object], limit: int, *names: str) -> str | None:
    """The cursor behind the first ``limit`` rows of a list in the order of these fields; None when there are no more.

    By default the list is in the order of ``id``.
    """
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    return encode_cursor([last[n] if isinstance(last, Mapping) else getattr(last, n) for n in names or ("id",)])


def id_of(cursor: str | None) -> int | None:
    """The id that a cursor names, in a list by id; None without a cursor."""
    return int(decode_cursor(cursor, [int])[0]) if cursor else None


def decode_cursor(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The place a cursor names; InvalidInput when it is damaged or of another list (numbers of other ``kinds``)."""
    damaged = InvalidInput(Reason(ReasonCode.CURSOR_DAMAGED))
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise damaged
    try:
        place = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise damaged from None
    if not isinstance(place, list) or len(place) != len(kinds):
        raise damaged
    for part, kind in zip(place, kinds, strict=True):
        fits = type(part) is kind or (kind is float and type(part) is int)
        if not fits or not -MAX_ID <= part <= MAX_ID:
            raise damaged
    return place

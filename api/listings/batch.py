"""Many listings in one request, with a verdict for each row; a bad row does not affect the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.auth import Submitter, source_for
from api.context import ApiContext, Context
from api.idempotency import IdempotencyHeader, idempotency_key_of
from api.listings.schemas import EXAMPLE, BatchShown, PostedListing, RowShown, uploads_of
from api.problems import Problem, pointed
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.idempotency import IdempotencyKey
from pipeline.domain.job import Priority
from pipeline.domain.listing import Submission
from pipeline.domain.verdict import Receipt, Verdict
from pipeline.steps import intake

router = APIRouter(prefix="/v1/listings", tags=["listings"])
MAX_ROWS = 1_000
NDJSON = {"application/x-ndjson", "application/ndjson", "application/jsonl"}
BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "array", "items": {"type": "object"}}, "example": [EXAMPLE]},
        "application/x-ndjson": {"schema": {"type": "string"}, "example": json.dumps(EXAMPLE)},
    },
}


@router.post("/batch", status_code=HTTPStatus.MULTI_STATUS, openapi_extra={"requestBody": BODY})
async def post_batch(
    request: Request,
    context: Context,
    grant: Submitter,
    priority: Annotated[Literal["pipeline", "import", "backfill"], Query()] = "import",
    idempotency_key: IdempotencyHeader = None,
) -> BatchShown:
    """Up to 1,000 listings, as a JSON array or one JSON object per line (``application/x-ndjson``).

    The rows of one source are accepted together. Several rows of one listing are accepted in their order.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    rows = await run_in_threadpool(_rows_of, body, media_type)
    key = idempotency_key_of(grant, idempotency_key, body)
    return await run_in_threadpool(_accept, context, grant, rows, Priority(priority), key)


def _accept(
    context: ApiContext, grant: Grant, rows: list[object], priority: Priority, key: IdempotencyKey | None
) -> BatchShown:
    context.backpressure.check(priority)
    uploads = uploads_of(grant)
    shown: dict[int, RowShown] = {}
    by_source: dict[str, dict[int, Submission]] = {}
    for number, row in enumerate(rows, start=1):
        try:
            posted = _posted(row)
            by_source.setdefault(posted.source, {})[number] = posted.submission(uploads)
        except (ValidationError, InvalidInput) as error:
            shown[number] = RowShown(row=number, verdict=Verdict.REJECTED, why=_why(error))
    for place, (source_name, submissions) in enumerate(by_source.items()):
        try:
            source = source_for(context, grant, source_name)
            receipts = intake.accept(
                context.units, source.id, list(submissions.values()), priority, _key_of_source(key, place)
            )
        except (NotFound, InvalidInput) as error:
            for number, submission in submissions.items():
                shown[number] = RowShown(
                    row=number, verdict=Verdict.REJECTED, external_id=submission.external_id, why=str(error)
                )
        else:
            shown |= {number: _accepted(number, r) for number, r in zip(submissions, receipts, strict=True)}
    counts = Counter(row.verdict for row in shown.values())
    return BatchShown(
        new=counts[Verdict.NEW],
        changed=counts[Verdict.CHANGED],
        unchanged=counts[Verdict.UNCHANGED],
        rejected=counts[Verdict.REJECTED],
        rows=[shown[number] for number in sorted(shown)],
    )


def _rows_of(body: bytes, media_type: str) -> list[object]:
    rows = list(_lines(body)) if media_type in NDJSON else _array(body)
    if not rows or len(rows) > MAX_ROWS:
        raise InvalidInput(f"a batch has 1 to {MAX_ROWS:,} rows; this one has {len(rows):,}")
    return rows


def _array(body: bytes) -> list[object]:
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not well-formed JSON: {error}") from error
    if not isinstance(rows, list):
        raise InvalidInput("a batch is a JSON array of listings, or NDJSON with Content-Type: application/x-ndjson")
    return rows


def _lines(body: bytes) -> Iterator[object]:
    """The parsed object of each line, or an InvalidInput where a line cannot be read. Empty lines do not count."""
    for line in body.split(b"\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                yield InvalidInput(f"the line is not well-formed JSON: {error}")


def _posted(row: object) -> PostedListing:
    """The listing of a row; raises InvalidInput or pydantic's ValidationError when it is none."""
    if isinstance(row, InvalidInput):
        raise row
    if not isinstance(row, dict):
        raise InvalidInput("the row is not a JSON object")
    return PostedListing.model_validate(row)


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{p['pointer']}: {p['detail']}" for p in pointed(error.errors())[:5])
    return str(error)


def _key_of_source(key: IdempotencyKey | None, place: int) -> IdempotencyKey | None:
    """The key of one source's rows: the first source has the client's own, so that another body is always noticed."""
    return key if key is None or place == 0 else replace(key, key=f"{key.key} {place}")


def _accepted(number: int, receipt: Receipt) -> RowShown:
    return RowShown(
        row=number,
        verdict=receipt.verdict,
        external_id=receipt.external_id,
        id=receipt.listing_id,
        revision=receipt.number,
    )

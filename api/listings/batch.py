"""Many listings in one request: a verdict for each row, and a bad row never spoils a good one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.auth import Submitter, source_for
from api.context import ApiContext, Context
from api.listings.routes import IdempotencyHeader, once_of, uploads_of
from api.listings.schemas import EXAMPLE, BatchShown, PostedListing, RowShown
from api.problems import Problem, pointed
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import Conflict, InvalidInput, NotFound
from pipeline.domain.idempotency import IdempotencyKey
from pipeline.domain.job import Priority
from pipeline.domain.listing import Submission
from pipeline.domain.verdict import Receipt, Verdict
from pipeline.steps import intake

router = APIRouter(prefix="/v1/listings", tags=["listings"])
MAX_ROWS = 1_000
NDJSON = {"application/x-ndjson", "application/ndjson", "application/jsonl"}
Given = tuple[str, Submission]
BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "array", "items": {"type": "object"}}, "example": [EXAMPLE]},
        "application/x-ndjson": {"schema": {"type": "string"}, "example": json.dumps(EXAMPLE)},
    },
}


@router.post(
    "/batch",
    status_code=HTTPStatus.MULTI_STATUS,
    response_model=BatchShown,
    openapi_extra={"requestBody": BODY},
)
async def post_batch(
    request: Request,
    context: Context,
    grant: Submitter,
    priority: Annotated[Literal["pipeline", "import", "backfill"], Query()] = "import",
    idempotency_key: IdempotencyHeader = None,
) -> BatchShown:
    """Up to 1,000 listings, as a JSON array or one JSON object a line (``application/x-ndjson``).

    The rows of one source are accepted together. Several rows of one listing are taken in their order.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    once = once_of(grant, idempotency_key, body)
    return await run_in_threadpool(_accept, context, grant, body, media_type in NDJSON, Priority(priority), once)


def _accept(
    context: ApiContext, grant: Grant, body: bytes, lines: bool, priority: Priority, once: IdempotencyKey | None
) -> BatchShown:
    read = list(_lines(body)) if lines else _array(body)
    if not read or len(read) > MAX_ROWS:
        raise InvalidInput(f"a batch has 1 to {MAX_ROWS:,} rows; this one has {len(read):,}")
    uploads = uploads_of(grant)
    context.backpressure.check(priority)
    verdicts: dict[int, RowShown] = {}
    by_source: dict[str, dict[int, Submission]] = {}
    for number, row in enumerate(read, start=1):
        given = _given(row, uploads)
        if isinstance(given, str):
            verdicts[number] = RowShown(row=number, verdict=Verdict.REJECTED, why=given)
        else:
            by_source.setdefault(given[0], {})[number] = given[1]
    for place, (source, submissions) in enumerate(by_source.items()):
        try:
            receipts = _accept_source(context, grant, source, list(submissions.values()), priority, _part(once, place))
        except (NotFound, InvalidInput) as error:
            for number, refused in submissions.items():
                verdicts[number] = RowShown(
                    row=number, verdict=Verdict.REJECTED, external_id=refused.external_id, why=str(error)
                )
        else:
            verdicts |= {number: _shown(number, r) for number, r in zip(submissions, receipts, strict=True)}
    counts = Counter(row.verdict for row in verdicts.values())
    return BatchShown(
        new=counts[Verdict.NEW],
        changed=counts[Verdict.CHANGED],
        unchanged=counts[Verdict.UNCHANGED],
        rejected=counts[Verdict.REJECTED],
        rows=[verdicts[number] for number in sorted(verdicts)],
    )


def _accept_source(
    context: ApiContext,
    grant: Grant,
    source: str,
    submissions: Sequence[Submission],
    priority: Priority,
    once: IdempotencyKey | None,
) -> list[Receipt]:
    source_id = source_for(context, grant, source).id
    try:
        return intake.accept(context.units, source_id, submissions, priority, once)
    except Conflict as error:
        if once is None:
            raise
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def _array(body: bytes) -> list[object]:
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not well-formed JSON: {error}") from error
    if not isinstance(rows, list):
        raise InvalidInput("a batch is a JSON array of listings, or NDJSON with Content-Type: application/x-ndjson")
    return rows


def _lines(body: bytes) -> Iterator[object]:
    """A parsed object a line; a ValueError in its place where a line cannot be read. Empty lines do not count."""
    for line in body.split(b"\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                yield ValueError(f"the line is not well-formed JSON: {error}")


def _given(row: object, uploads: str) -> Given | str:
    """The source and the submission of a row, or why there is none."""
    if isinstance(row, ValueError):
        return str(row)
    if not isinstance(row, dict):
        return "the row is not a JSON object"
    try:
        posted = PostedListing.model_validate(row)
        return posted.source, posted.submission(uploads)
    except ValidationError as error:
        return "; ".join(f"{p['pointer']}: {p['detail']}" for p in pointed(error.errors())[:5])
    except InvalidInput as error:
        return str(error)


def _part(once: IdempotencyKey | None, place: int) -> IdempotencyKey | None:
    """The key of one source's part: the first has the client's own, so that another body is always noticed."""
    if once is None or place == 0:
        return once
    return IdempotencyKey(once.owner, f"{once.key} {place}", once.body_hash)


def _shown(number: int, receipt: Receipt) -> RowShown:
    return RowShown(
        row=number,
        verdict=receipt.verdict,
        external_id=receipt.external_id,
        id=receipt.listing_id,
        revision=receipt.number,
    )

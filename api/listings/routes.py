"""Listings: post one or many, withdraw, list, read one with its history, and read its photos."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.auth import Reader, Submitter, require_listing, source_for
from api.context import ApiContext, Context
from api.imports.schemas import ProvenanceResponse
from api.language import AnswerLanguage, with_reasons_in
from api.listings.schemas import (
    EXAMPLE,
    BatchResponse,
    BatchRowResponse,
    DecisionResponse,
    ListingPage,
    ListingParameters,
    ListingResponse,
    PostedListing,
    ReceiptResponse,
    upload_prefix_of,
)
from api.pagination import Cursor, Limit, cursor_after, decode_cursor, id_of
from api.parameters import IdempotencyHeader, RecordId, idempotency_key_of
from api.problems import Problem, errors_by_pointer
from infra.store.listings.history import find_history
from infra.store.listings.queries import (
    DecisionView,
    find_image_key,
    find_latest_decision,
    find_listing,
    list_review_queue,
)
from infra.store.listings.queries import list_listings as find_listings
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.job import Priority
from pipeline.domain.listing import Submission
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import Receipt, Verdict
from pipeline.ports.repositories import IdempotencyKey
from pipeline.steps import intake

router = APIRouter(prefix="/v1", tags=["listings"])
MAX_BATCH_ROWS = 1_000
NDJSON_TYPES = {"application/x-ndjson", "application/ndjson", "application/jsonl"}
BATCH_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "array", "items": {"type": "object"}}, "example": [EXAMPLE]},
        "application/x-ndjson": {"schema": {"type": "string"}, "example": json.dumps(EXAMPLE)},
    },
}
WAIT_PREFERENCE = re.compile(r'(?:^|[\s,;])wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PostHeaders:
    """The headers of a posted listing that affect its processing."""

    prefer: str | None
    idempotency_key: str | None


def post_headers(
    prefer: Annotated[str | None, Header(description="`wait=5` waits up to 5 s for the decision")] = None,
    idempotency_key: IdempotencyHeader = None,
) -> PostHeaders:
    """A dependency: the headers of a posted listing."""
    return PostHeaders(prefer, idempotency_key)


def seconds_to_wait(prefer: str | None, max_seconds: float) -> float | None:
    """The seconds of ``Prefer: wait=N``, at most ``max_seconds``; None if it is missing or malformed."""
    match = WAIT_PREFERENCE.search(prefer or "")
    return min(float(match[1]), max_seconds) if match else None


@router.post(
    "/listings",
    status_code=HTTPStatus.ACCEPTED,
    response_model=ReceiptResponse,
    responses={
        200: {"model": ReceiptResponse, "description": "unchanged content, or decided within `Prefer: wait`"},
        202: {"description": "accepted: it will be decided, superseded by a newer revision, or become a dead letter"},
        429: {"description": "too large a backlog at this priority; see Retry-After"},
    },
    openapi_extra={"requestBody": {"content": {"application/json": {"example": EXAMPLE}}}},
)
async def post_listing(
    posted: PostedListing,
    context: Context,
    grant: Submitter,
    language: AnswerLanguage,
    response: Response,
    headers: Annotated[PostHeaders, Depends(post_headers)],
) -> ReceiptResponse:
    """Accept a listing: a new or changed one becomes a revision with a job; unchanged content changes nothing.

    202 if it was accepted; 200 if nothing changed, or if ``Prefer: wait`` was given and the decision was made in time
    (it is in the body; ``Preference-Applied`` is the waiting time that was applied).
    """
    wait_seconds = seconds_to_wait(headers.prefer, context.settings.wait_limit)
    priority = Priority.PIPELINE if wait_seconds is None else Priority.INTERACTIVE
    key = idempotency_key_of(grant, headers.idempotency_key, posted)
    body, receipt = await run_in_threadpool(_accept, context, grant, posted, priority, key)
    if wait_seconds is not None and not context.decision_waiter.full:
        response.headers["Preference-Applied"] = f"wait={wait_seconds:g}"

        async def fetch_decision() -> DecisionView | None:
            return await run_in_threadpool(_latest_decision, context, receipt.revision_id)

        decision = await context.decision_waiter.wait(receipt.revision_id, wait_seconds, fetch_decision)
        if decision is not None:
            decision_response = DecisionResponse(**with_reasons_in(language, asdict(decision)))
            body = body.model_copy(update={"decision": decision_response, "status": decision.status})
            response.status_code = response.status_code if decision.provisional else HTTPStatus.OK
    if receipt.verdict is Verdict.UNCHANGED:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/v1/listings/{receipt.listing_id}"
    return body


@router.post("/listings/batch", status_code=HTTPStatus.MULTI_STATUS, openapi_extra={"requestBody": BATCH_BODY})
async def post_batch(
    request: Request,
    context: Context,
    grant: Submitter,
    priority: Annotated[Literal["pipeline", "import", "backfill"], Query()] = "import",
    idempotency_key: IdempotencyHeader = None,
) -> BatchResponse:
    """Up to 1,000 listings, as a JSON array or one JSON object per line (``application/x-ndjson``).

    The rows of one source are accepted together. Several rows of one listing are accepted in order.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    rows = await run_in_threadpool(_parse_rows, body, media_type)
    key = idempotency_key_of(grant, idempotency_key, body)
    return await run_in_threadpool(_accept_rows, context, grant, rows, Priority(priority), key)


@router.delete("/listings/{listing_id}", status_code=HTTPStatus.NO_CONTENT)
def withdraw_listing(listing_id: RecordId, context: Context, grant: Submitter) -> None:
    """Withdraw a listing and cancel its jobs; posting it again restores it."""
    require_listing(context, grant, listing_id)
    intake.withdraw(context.units, listing_id)


def _accept(
    context: ApiContext, grant: Grant, posted: PostedListing, priority: Priority, key: IdempotencyKey | None
) -> tuple[ReceiptResponse, Receipt]:
    posted.check_images(upload_prefix_of(grant))
    context.backpressure.check(priority)
    source = source_for(context, grant, posted.source)
    submission = posted.submission(source.notation)
    (receipt,) = intake.accept(context.units, source.id, [submission], priority, key)
    return _receipt_response(context, source, receipt, priority, repeated=key is not None), receipt


def _receipt_response(
    context: ApiContext, source: Source, receipt: Receipt, priority: Priority, *, repeated: bool
) -> ReceiptResponse:
    status = "pending"
    if repeated or receipt.verdict is Verdict.UNCHANGED:
        # It may have been decided since it was first posted.
        with context.engine.connect() as connection:
            card = find_listing(connection, receipt.listing_id, None)
            status = card.status if card else status
    return ReceiptResponse(
        id=receipt.listing_id,
        external_id=receipt.external_id,
        source=source.name,
        revision=receipt.number,
        verdict=receipt.verdict,
        status=status,
        priority=None if receipt.verdict is Verdict.UNCHANGED else priority,
    )


def _latest_decision(context: ApiContext, revision_id: int) -> DecisionView | None:
    with context.engine.connect() as connection:
        return find_latest_decision(connection, revision_id)


def _accept_rows(
    context: ApiContext, grant: Grant, rows: list[object], priority: Priority, key: IdempotencyKey | None
) -> BatchResponse:
    context.backpressure.check(priority)
    upload_prefix = upload_prefix_of(grant)
    responses: dict[int, BatchRowResponse] = {}
    by_source: dict[str, dict[int, PostedListing]] = {}
    for number, row in enumerate(rows, start=1):
        try:
            posted = _parse_listing(row)
            posted.check_images(upload_prefix)
            by_source.setdefault(posted.source, {})[number] = posted
        except (ValidationError, InvalidInput) as error:
            responses[number] = BatchRowResponse(row=number, verdict=Verdict.REJECTED, why=_rejection_reason(error))
    for source_index, (source_name, postings) in enumerate(by_source.items()):
        submissions: dict[int, Submission] = {}
        try:
            source = source_for(context, grant, source_name)
            for number, posted in postings.items():
                try:
                    submissions[number] = posted.submission(source.notation)
                except InvalidInput as error:
                    responses[number] = _rejected_row(number, posted, error)
            receipts = intake.accept(
                context.units, source.id, list(submissions.values()), priority, _key_of_source(key, source_index)
            )
        except (NotFound, InvalidInput) as error:
            responses |= {number: _rejected_row(number, posted, error) for number, posted in postings.items()}
        else:
            responses |= {
                number: _accepted_row(number, receipt) for number, receipt in zip(submissions, receipts, strict=True)
            }
    counts = Counter(row.verdict for row in responses.values())
    return BatchResponse(
        new=counts[Verdict.NEW],
        changed=counts[Verdict.CHANGED],
        unchanged=counts[Verdict.UNCHANGED],
        rejected=counts[Verdict.REJECTED],
        rows=[responses[number] for number in sorted(responses)],
    )


def _rejected_row(number: int, posted: PostedListing, error: Exception) -> BatchRowResponse:
    return BatchRowResponse(row=number, verdict=Verdict.REJECTED, external_id=posted.external_id, why=str(error))


def _parse_rows(body: bytes, media_type: str) -> list[object]:
    rows = list(_parse_lines(body)) if media_type in NDJSON_TYPES else _parse_array(body)
    if not rows or len(rows) > MAX_BATCH_ROWS:
        raise InvalidInput(f"a batch has 1 to {MAX_BATCH_ROWS:,} rows; this one has {len(rows):,}")
    return rows


def _parse_array(body: bytes) -> list[object]:
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is not well-formed JSON: {error}") from error
    if not isinstance(rows, list):
        raise InvalidInput("a batch is a JSON array of listings, or NDJSON with Content-Type: application/x-ndjson")
    return rows


def _parse_lines(body: bytes) -> Iterator[object]:
    """The JSON value of each line, or an InvalidInput instead of a malformed line. Blank lines are skipped."""
    for line in body.split(b"\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                yield InvalidInput(f"the line is not well-formed JSON: {error}")


def _parse_listing(row: object) -> PostedListing:
    """The listing in a row; raises InvalidInput or Pydantic's ValidationError if the row is invalid."""
    if isinstance(row, InvalidInput):
        raise row
    if not isinstance(row, dict):
        raise InvalidInput("the row is not a JSON object")
    return PostedListing.model_validate(row)


def _rejection_reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{p['pointer']}: {p['detail']}" for p in errors_by_pointer(error.errors())[:5])
    return str(error)


def _key_of_source(key: IdempotencyKey | None, source_index: int) -> IdempotencyKey | None:
    """The idempotency key of one source's rows; the first keeps the client's, so that a different body is detected."""
    return key if key is None or source_index == 0 else replace(key, key=f"{key.key} {source_index}")


def _accepted_row(number: int, receipt: Receipt) -> BatchRowResponse:
    return BatchRowResponse(
        row=number,
        verdict=receipt.verdict,
        external_id=receipt.external_id,
        id=receipt.listing_id,
        revision=receipt.number,
    )


IMAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
    "Cache-Control": "private, max-age=300",
}


@router.get("/listings")
def list_listings(context: Context, grant: Reader, parameters: Annotated[ListingParameters, Query()]) -> ListingPage:
    """Listings, newest first; withdrawn ones only with `status=withdrawn`."""
    before_id, limit = id_of(parameters.cursor), parameters.limit
    with context.engine.connect() as connection:
        cards = find_listings(connection, parameters.filter(grant), before_id, limit + 1)
    return ListingPage(items=[ListingResponse.of(card) for card in cards[:limit]], next=cursor_after(cards, limit))


@router.get("/review-queue", tags=["review"])
def show_review_queue(context: Context, grant: Reader, cursor: Cursor = None, limit: Limit = 50) -> ListingPage:
    """Listings that need a review, lowest confidence first."""
    after = tuple(decode_cursor(cursor, [float, int])) if cursor else None
    with context.engine.connect() as connection:
        cards = list_review_queue(connection, grant.source_ids, after, limit + 1)
    items = [ListingResponse.of(card) for card in cards[:limit]]
    return ListingPage(items=items, next=cursor_after(cards, limit, "confidence", "id"))


@router.get("/listings/{listing_id}")
def read_listing(listing_id: RecordId, context: Context, grant: Reader, language: AnswerLanguage) -> dict[str, Any]:
    """The full history: revisions with images, predictions and decisions by model, jobs with the duration of each stage
    of every attempt in seconds, reviews, events; for a collected listing also its provenance and licence."""
    with context.engine.connect() as connection:
        history = find_history(connection, listing_id, grant.source_ids)
    if history is None:
        raise NotFound(Reason.of(ReasonCode.LISTING_NOT_FOUND, id=listing_id))
    fields = asdict(history)
    body: dict[str, Any] = with_reasons_in(language, fields.pop("card") | fields)
    return body | {"provenance": ProvenanceResponse.of(history.provenance)}


@router.get(
    "/listings/{listing_id}/image/{position}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 304: {"description": "not modified"}},
)
def read_image(
    listing_id: RecordId,
    position: Annotated[int, Path(ge=0, le=1000)],
    request: Request,
    context: Context,
    grant: Reader,
) -> Response:
    """A stored image, re-encoded as a JPEG of at most 512 pixels per side."""
    with context.engine.connect() as connection:
        card = find_listing(connection, listing_id, grant.source_ids)
        key = card and find_image_key(connection, listing_id, position)
    if not key:
        raise NotFound(Reason.of(ReasonCode.IMAGE_NOT_FOUND, id=listing_id, position=position))
    headers = IMAGE_HEADERS | {"ETag": f'"{key.rpartition("/")[2]}"'}
    if _matches_etag(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(context.thumbnails.get(key), media_type="image/jpeg", headers=headers)


def _matches_etag(if_none_match: str, etag: str) -> bool:
    """Whether If-None-Match lists this ETag, also as a weak one (compressing proxies weaken it), or is ``*``."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]

"""Posting a listing: accepted at once, or held until it is decided; withdrawing one."""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from starlette.concurrency import run_in_threadpool

from api.access import Submitter, require_listing, source_for
from api.cursor import LARGEST_ID
from api.house import House, InHouse
from api.problems import Problem
from api.schemas.listings import EXAMPLE, DecisionShown, PostedListing, ReceiptShown
from infra.access import Grant
from infra.store.queries.listings import find_card, latest_decision
from pipeline.domain.errors import Conflict
from pipeline.domain.job import Priority
from pipeline.domain.listing import Verdict
from pipeline.domain.work import Once, Receipt
from pipeline.steps import intake

router = APIRouter(prefix="/v1/listings", tags=["listings"])
ListingId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key and body again give the same answer and change nothing.",
    ),
]
WAIT = re.compile(r'(?:^|[\s,;])wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])', re.IGNORECASE)


def seconds_to_wait(prefer: str | None, limit: float) -> float | None:
    """What ``Prefer: wait=N`` asks for, capped; None without it. A preference that cannot be read is ignored."""
    found = WAIT.search(prefer or "")
    return min(float(found[1]), limit) if found else None


def uploads_of(grant: Grant) -> str:
    """The prefix below which this key's uploads lie."""
    return f"uploads/{grant.key_id}/"


def once_of(grant: Grant, key: str | None, body: bytes) -> Once | None:
    """The idempotency key of a request, bound to its body."""
    return Once(grant.key_id, key, hashlib.sha256(body).hexdigest()) if key else None


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=ReceiptShown,
    responses={
        200: {"model": ReceiptShown, "description": "the same content again, or decided within `Prefer: wait`"},
        202: {"description": "accepted: it will be decided, superseded by a newer revision, or be a dead letter"},
        429: {"description": "listings of this priority wait too long already; see Retry-After"},
    },
    openapi_extra={"requestBody": {"content": {"application/json": {"example": EXAMPLE}}}},
)
async def post_listing(
    posted: PostedListing,
    house: InHouse,
    grant: Submitter,
    response: Response,
    prefer: Annotated[str | None, Header(description="`wait=5` holds the answer up to 5 s for the decision")] = None,
    idempotency_key: IdempotencyKey = None,
) -> ReceiptShown:
    """Accept a listing: a new one or a changed one makes a revision and a job, the same content again nothing.

    202 when it was accepted; 200 when nothing changed, or when ``Prefer: wait`` was given and the decision came in
    time (it is in the body, and ``Preference-Applied`` says how long was allowed).
    """
    wait = seconds_to_wait(prefer, house.settings.wait_limit)
    priority = Priority.PIPELINE if wait is None else Priority.INTERACTIVE
    body = json.dumps(posted.model_dump(), sort_keys=True).encode()
    shown, receipt = await run_in_threadpool(
        _accept, house, grant, posted, priority, once_of(grant, idempotency_key, body)
    )
    if wait is not None and not house.hub.full:
        response.headers["Preference-Applied"] = f"wait={wait:g}"

        async def ask() -> dict[str, Any] | None:
            return await run_in_threadpool(_decision, house, receipt.revision_id)

        decision = await house.hub.wait(receipt.revision_id, wait, ask)
        if decision is not None:
            final = not decision["provisional"]
            shown = shown.model_copy(update={"decision": DecisionShown(**decision), "status": decision["status"]})
            response.status_code = HTTPStatus.OK if final else response.status_code
    if receipt.verdict is Verdict.UNCHANGED:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/v1/listings/{receipt.listing_id}"
    return shown


@router.delete("/{listing_id}", status_code=HTTPStatus.NO_CONTENT)
def withdraw_listing(listing_id: ListingId, house: InHouse, grant: Submitter) -> None:
    """Withdraw a listing and cancel its jobs; posting it again brings it back."""
    require_listing(house, grant, listing_id)
    intake.withdraw(house.units, listing_id)


def _accept(
    house: House, grant: Grant, posted: PostedListing, priority: Priority, once: Once | None
) -> tuple[ReceiptShown, Receipt]:
    submission = posted.submission(uploads_of(grant))
    house.backpressure.check(priority)
    with house.engine.begin() as connection:
        source = source_for(connection, grant, posted.source)
    try:
        receipt = intake.accept(house.units, source.id, [submission], priority, once)[0]
    except Conflict as error:
        if once is None:
            raise
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    status = "pending"
    if once is not None or receipt.verdict is Verdict.UNCHANGED:
        # It may have been decided since it was first posted.
        with house.engine.connect() as connection:
            card = find_card(connection, receipt.listing_id, None)
            status = card["status"] if card else status
    return (
        ReceiptShown(
            id=receipt.listing_id,
            external_id=receipt.external_id,
            source=source.name,
            revision=receipt.number,
            verdict=receipt.verdict,
            status=status,
            priority=None if receipt.verdict is Verdict.UNCHANGED else priority,
        ),
        receipt,
    )


def _decision(house: House, revision_id: int) -> dict[str, Any] | None:
    with house.engine.connect() as connection:
        return latest_decision(connection, revision_id)

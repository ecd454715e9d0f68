"""Reading listings: filtered lists, the review queue, one listing's story, its photos."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator

from api.access import Reader
from api.cursor import cursor_after, decode_cursor, id_of
from api.house import InHouse
from api.routes.listings import ListingId
from api.schemas.imports import provenance_shown
from api.schemas.listings import Clean, PageShown
from infra.store.models.listings import ListingStatus
from infra.store.queries.listings import ListingFilter, find_card, find_listings, review_queue, stored_image
from infra.store.queries.story import read_story
from pipeline.domain.errors import NotFound

router = APIRouter(prefix="/v1", tags=["listings"])
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]
Moment = Annotated[
    datetime | None,
    AfterValidator(lambda moment: moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)),
    Query(description="a date, or a date and time; by UTC unless it names an offset"),
]
Confidence = Annotated[float | None, Query(ge=0, le=1)]
IMAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
    "Cache-Control": "private, max-age=300",
}


@router.get("/listings", response_model=PageShown)
def list_listings(
    house: InHouse,
    grant: Reader,
    status: ListingStatus | None = None,
    category: Annotated[Clean | None, Query(description="this category and everything below it")] = None,
    source: Clean | None = None,
    min_confidence: Confidence = None,
    max_confidence: Confidence = None,
    q: Annotated[Clean | None, Query(max_length=500, description="words of the id, name or description")] = None,
    created_after: Moment = None,
    created_before: Moment = None,
    reviewed: bool | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Listings, newest first, withdrawn ones only when asked for."""
    before = id_of(cursor)
    narrowed = ListingFilter(
        source_ids=grant.source_ids,
        status=status,
        category=category or None,
        source=source or None,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        words=q or None,
        created_after=created_after,
        created_before=created_before,
        reviewed=reviewed,
    )
    with house.engine.connect() as connection:
        found = find_listings(connection, narrowed, before, limit + 1)
    return {"items": found[:limit], "next": cursor_after(found, limit)}


@router.get("/review-queue", response_model=PageShown, tags=["review"])
def list_review_queue(house: InHouse, grant: Reader, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    """Listings that need a person, least certain first."""
    after = tuple(decode_cursor(cursor, [float, int])) if cursor else None
    with house.engine.connect() as connection:
        found = review_queue(connection, grant.source_ids, after, limit + 1)
    return {"items": found[:limit], "next": cursor_after(found, limit, "confidence", "id")}


@router.get("/listings/{listing_id}")
def read_listing(listing_id: ListingId, house: InHouse, grant: Reader) -> dict[str, Any]:
    """The full story: revisions with images, predictions and decisions by model, jobs with the seconds of each
    stage of every attempt, reviews, events; of a collected one also its provenance, with the terms to show with it."""
    with house.engine.connect() as connection:
        story = read_story(connection, listing_id, grant.source_ids)
    if story is None:
        raise NotFound(f"there is no listing {listing_id}")
    return story | {"provenance": provenance_shown(story["provenance"])}


@router.get(
    "/listings/{listing_id}/image/{position}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 304: {"description": "the image you have is the one"}},
)
def read_image(
    listing_id: ListingId,
    position: Annotated[int, Path(ge=0, le=1000)],
    request: Request,
    house: InHouse,
    grant: Reader,
) -> Response:
    """A stored image, encoded again as JPEG of at most 512 pixels a side."""
    with house.engine.connect() as connection:
        key = find_card(connection, listing_id, grant.source_ids) and stored_image(connection, listing_id, position)
    if not key:
        raise NotFound(f"listing {listing_id} has no stored image at position {position}")
    headers = IMAGE_HEADERS | {"ETag": f'"{key.rpartition("/")[2]}"'}
    if _has(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(house.thumbnails.get(key), media_type="image/jpeg", headers=headers)


def _has(if_none_match: str, etag: str) -> bool:
    """Whether the header names this tag: one of several, weak (as a proxy makes it that compresses), or any."""
    named = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in named or named == ["*"]

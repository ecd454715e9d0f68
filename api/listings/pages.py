"""The first page: listings with their photos, filtered; and the photos."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api.context import Context
from api.listings.routes import IMAGE_HEADERS
from api.listings.schemas import Clean
from api.pagination import LARGEST_ID, cursor_after, id_of
from api.web.rendering import STATUS_WORDS, render
from api.web.session import Visitor
from infra.store.listings.page_queries import count_by_status, list_categories, list_sources
from infra.store.listings.queries import ListingFilter, find_card, find_listings, stored_image
from pipeline.domain.errors import NotFound

router = APIRouter()
PAGE = 24
# Words of the form, lower and upper bound.
CONFIDENCES: dict[str, tuple[str, float | None, float | None]] = {
    "high": ("90 % and more", 0.9, None),
    "middle": ("50 % to 90 %", 0.5, 0.9),
    "low": ("below 50 %", None, 0.5),
}
ListingId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Words = Annotated[Clean, Query(max_length=500)]


@router.get("/")
def show_listings(
    request: Request,
    context: Context,
    visitor: Visitor,
    status: Words = "",
    category: Words = "",
    source: Words = "",
    q: Words = "",
    confidence: Words = "",
    cursor: str = "",
) -> Response:
    """Listings, newest first. A filter value that does not exist is left out."""
    kept = {
        "status": status if status in STATUS_WORDS else "",
        "category": category,
        "source": source,
        "q": q,
        "confidence": confidence if confidence in CONFIDENCES else "",
    }
    _, lowest, highest = CONFIDENCES.get(confidence, ("", None, None))
    narrowed = ListingFilter(
        source_ids=visitor.grant.source_ids,
        status=kept["status"] or None,
        category=category or None,
        source=source or None,
        min_confidence=lowest,
        max_confidence=highest,
        words=q or None,
    )
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = find_listings(connection, narrowed, before, PAGE + 1)
        counts = count_by_status(connection, narrowed.source_ids, narrowed.source)
        sources = list_sources(connection, narrowed.source_ids)
        categories = list_categories(connection, narrowed.source_ids)
    variables: dict[str, Any] = {
        "listings": found[:PAGE],
        "older": cursor_after(found, PAGE),
        "newest": cursor == "",
        "kept": kept,
        "counts": counts,
        "statuses": [s for s in STATUS_WORDS if s != "withdrawn" or counts.get(s)],
        "total": sum(count for s, count in counts.items() if s != "withdrawn"),
        "confidences": CONFIDENCES,
        "sources": sources,
        "categories": categories,
        "without_model": sorted({s.taxonomy for s in sources if s.model is None}),
    }
    return render(request, "listings.html", visitor, variables)


@router.get("/listings/{listing_id}/image/{position}")
def show_image(
    listing_id: ListingId, position: Annotated[int, Path(ge=0, le=1000)], context: Context, visitor: Visitor
) -> Response:
    """A stored photo, encoded again, for those who signed in."""
    with context.engine.connect() as connection:
        card = find_card(connection, listing_id, visitor.grant.source_ids)
        key = card and stored_image(connection, listing_id, position)
    if not key:
        raise NotFound(f"listing {listing_id} has no stored photo number {position}")
    return Response(context.thumbnails.get(key), media_type="image/jpeg", headers=IMAGE_HEADERS)

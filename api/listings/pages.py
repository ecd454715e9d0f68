"""The page of listings with photos and filters, and the photos themselves."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.context import Context
from api.listings.routes import IMAGE_HEADERS
from api.pagination import cursor_after, id_of
from api.parameters import Clean, RecordId
from api.web.rendering import render
from api.web.session import Visitor
from infra.store.listings.queries import ListingFilter, count_by_status, find_image_key, find_listing, list_listings
from infra.store.listings.tables import ListingStatus
from infra.store.sources import list_sources
from infra.store.taxonomies.queries import list_categories
from pipeline.domain.errors import NotFound
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.localisation.message_catalogues import gettext_noop

router = APIRouter()
FormText = Annotated[Clean, Field(max_length=500)]
PAGE_SIZE = 24
# Choices of the filter -> text, lower bound, upper bound.
CONFIDENCE_RANGES: dict[str, tuple[str, float | None, float | None]] = {
    "high": (gettext_noop("90 % and more"), 0.9, None),
    "middle": (gettext_noop("50 % to 90 %"), 0.5, 0.9),
    "low": (gettext_noop("below 50 %"), None, 0.5),
}


class FilterForm(BaseModel):
    """The filters of the list, and its cursor."""

    status: FormText = ""
    category: FormText = ""
    source: FormText = ""
    q: FormText = ""
    confidence: FormText = ""
    cursor: str = ""


@router.get("/")
def show_listings(
    request: Request, context: Context, visitor: Visitor, form: Annotated[FilterForm, Query()]
) -> Response:
    """Listings, newest first. Unknown values of a filter are ignored."""
    filters = {
        "status": form.status if form.status in set(ListingStatus) else "",
        "category": form.category,
        "source": form.source,
        "q": form.q,
        "confidence": form.confidence if form.confidence in CONFIDENCE_RANGES else "",
    }
    _, min_confidence, max_confidence = CONFIDENCE_RANGES.get(form.confidence, ("", None, None))
    listing_filter = ListingFilter(
        source_ids=visitor.grant.source_ids,
        status=filters["status"] or None,
        category=form.category or None,
        source=form.source or None,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        words=form.q or None,
    )
    before_id = id_of(form.cursor)
    with context.engine.connect() as connection:
        listings = list_listings(connection, listing_filter, before_id, PAGE_SIZE + 1)
        counts = count_by_status(connection, listing_filter.source_ids, listing_filter.source)
        sources = list_sources(connection, listing_filter.source_ids)
        categories = list_categories(connection, listing_filter.source_ids)
    variables: dict[str, Any] = {
        "listings": listings[:PAGE_SIZE],
        "older": cursor_after(listings, PAGE_SIZE),
        "newest": form.cursor == "",
        "filters": filters,
        "counts": counts,
        "statuses": [s for s in ListingStatus if s is not ListingStatus.WITHDRAWN or counts.get(s)],
        "total": sum(count for s, count in counts.items() if s != "withdrawn"),
        "confidences": CONFIDENCE_RANGES,
        "sources": sources,
        "categories": categories,
        "without_model": sorted({s.taxonomy for s in sources if s.model is None}),
    }
    return render(request, "listings/list.html", visitor, variables)


@router.get("/listings/{listing_id}/image/{position}")
def show_image(
    listing_id: RecordId, position: Annotated[int, Path(ge=0, le=1000)], context: Context, visitor: Visitor
) -> Response:
    """A stored photo as a re-encoded thumbnail, for signed-in visitors."""
    with context.engine.connect() as connection:
        card = find_listing(connection, listing_id, visitor.grant.source_ids)
        key = card and find_image_key(connection, listing_id, position)
    if not key:
        raise NotFound(Reason.of(ReasonCode.IMAGE_NOT_FOUND, id=listing_id, position=position))
    return Response(context.thumbnails.get(key), media_type="image/jpeg", headers=IMAGE_HEADERS)

"""Reviews: a reviewer's category for a listing, which overrides every model and is a label for training."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Admin
from api.context import Context
from api.listings.schemas import ListingResponse
from api.parameters import Clean, RecordId
from infra.store.listings.queries import find_listing
from pipeline.steps.review_listing import review

router = APIRouter(prefix="/v1/listings", tags=["review"])


class ReviewRequest(BaseModel):
    """The category chosen by the reviewer, and an optional note."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"category": "Home Furnishing >> Curtains", "note": ""}]}
    )

    category: Clean
    note: Clean = Field("", max_length=2_000)


@router.post("/{listing_id}/review")
def review_listing(listing_id: RecordId, requested: ReviewRequest, context: Context, grant: Admin) -> ListingResponse:
    """Set the category of a listing; the reviewer is the name of the key."""
    review(context.units, listing_id, requested.category, grant.name, requested.note)
    with context.engine.connect() as connection:
        card = find_listing(connection, listing_id, None)
    assert card is not None  # review() raises NotFound for unknown listings
    return ListingResponse.of(card)

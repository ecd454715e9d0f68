"""Request and response schemas of listings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from api.parameters import Clean
from infra.store.listings.queries import ListingCard, ListingFilter
from infra.store.listings.tables import ListingStatus
from pipeline.domain.api_key import Grant
from pipeline.domain.category import holds_name
from pipeline.domain.category_notation import CategoryNotation
from pipeline.domain.decision import level_of, open_level
from pipeline.domain.errors import InvalidCategory, InvalidInput
from pipeline.domain.listing import (
    MAX_ADDRESS,
    MAX_ATTRIBUTE,
    MAX_ATTRIBUTES,
    MAX_DESCRIPTION,
    MAX_EXTERNAL_ID,
    MAX_IMAGES,
    MAX_NAME,
    Content,
    Submission,
)
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import NAME_LIMIT

MAX_CATEGORY = 2_000  # characters of the posted text, which may list several categories
EXAMPLE: dict[str, Any] = {
    "source": "marketplace",
    "external_id": "SKU-1042",
    "name": "Blackout curtains, 2 panels, 140 x 260 cm",
    "description": "Thick polyester, eyelets, machine washable.",
    "attributes": {"Colour": "navy blue", "Material": "polyester"},
    "images": ["https://images.example.com/curtains.jpg"],
    "category": "Home Furnishing >> Curtains",
}


UtcDatetime = Annotated[
    datetime | None,
    AfterValidator(lambda value: value if value is None or value.tzinfo else value.replace(tzinfo=UTC)),
    Field(description="a date, or a date and time; UTC unless it has an offset"),
]
Confidence = Annotated[float | None, Field(ge=0, le=1)]


class ListingParameters(BaseModel):
    """The query parameters of the list of listings: filters, cursor and page size."""

    status: ListingStatus | None = None
    category: Clean | None = Field(None, description="this category and its subcategories")
    source: Clean | None = None
    min_confidence: Confidence = None
    max_confidence: Confidence = None
    q: Clean | None = Field(None, max_length=500, description="words of the id, name or description")
    created_after: UtcDatetime = None
    created_before: UtcDatetime = None
    reviewed: bool | None = None
    cursor: str | None = Field(None, description="`next` of the previous page")
    limit: int = Field(50, ge=1, le=200)

    def filter(self, grant: Grant) -> ListingFilter:
        """The filters, restricted to the sources of the key."""
        return ListingFilter(
            source_ids=grant.source_ids,
            status=self.status,
            category=self.category or None,
            source=self.source or None,
            min_confidence=self.min_confidence,
            max_confidence=self.max_confidence,
            words=self.q or None,
            created_after=self.created_after,
            created_before=self.created_before,
            reviewed=self.reviewed,
        )


def _check_length(value: str, max_length: int, field_name: str) -> str:
    if len(value) > max_length:
        raise ValueError(f"{field_name} has {len(value):,} characters, at most {max_length:,} are allowed")
    return value


class PostedListing(BaseModel):
    """A seller's product. Limits are in characters; NUL bytes are removed."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, json_schema_extra={"examples": [EXAMPLE]})

    source: Clean = Field(description=f"where the listing comes from, at most {NAME_LIMIT} characters")
    external_id: Clean = Field(description=f"the seller's id, at most {MAX_EXTERNAL_ID} characters")
    name: Clean = Field("", description=f"at most {MAX_NAME:,} characters")
    description: Clean = Field("", description=f"at most {MAX_DESCRIPTION:,} characters")
    attributes: dict[Clean, Clean] = Field({}, description=f"at most {MAX_ATTRIBUTES}, of {MAX_ATTRIBUTE:,} characters")
    images: list[Clean] = Field([], description=f"upload keys or http(s) URLs, at most {MAX_IMAGES}")
    category: Clean | None = Field(None, description="the seller's category, such as 'Home >> Curtains'")

    @field_validator("source")
    @classmethod
    def _check_source(cls, value: str) -> str:
        if not value:
            raise ValueError("the source is empty")
        return " ".join(_check_length(value, NAME_LIMIT, "the source").split())

    @field_validator("external_id")
    @classmethod
    def _check_external_id(cls, value: str) -> str:
        if not value:
            raise ValueError("the external id is empty")
        return _check_length(value, MAX_EXTERNAL_ID, "the external id")

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        return " ".join(_check_length(value, MAX_NAME, "the name").split())

    @field_validator("description")
    @classmethod
    def _check_description(cls, value: str) -> str:
        return _check_length(value, MAX_DESCRIPTION, "the description")

    @field_validator("attributes")
    @classmethod
    def _check_attributes(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MAX_ATTRIBUTES:
            raise ValueError(f"{len(value)} attributes, at most {MAX_ATTRIBUTES} are allowed")
        for pair in value.items():
            for part in pair:
                _check_length(part, MAX_ATTRIBUTE, f"the attribute '{pair[0][:50]}'")
        return {name: text for name, text in value.items() if name}

    @field_validator("images")
    @classmethod
    def _check_images(cls, value: list[str]) -> list[str]:
        unique = list(dict.fromkeys(image for image in value if image))
        if len(unique) > MAX_IMAGES:
            raise ValueError(f"{len(unique)} images, at most {MAX_IMAGES} are allowed")
        for image in unique:
            _check_length(image, MAX_ADDRESS, "an image address")
        return unique

    @field_validator("category")
    @classmethod
    def _check_category(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not holds_name(value):
            raise ValueError(str(InvalidCategory(Reason(ReasonCode.CATEGORY_EMPTY))))
        return _check_length(value, MAX_CATEGORY, "the category")

    @model_validator(mode="after")
    def _check_not_empty(self) -> PostedListing:
        if not (self.name or self.description or self.images):
            raise ValueError("give a name, a description or an image: there is nothing to judge by")
        return self

    def check_images(self, upload_prefix: str) -> None:
        """Raise InvalidInput for an image that is neither a URL nor a key with this prefix."""
        for image in self.images:
            check_image(image, upload_prefix)

    def submission(self, notation: CategoryNotation) -> Submission:
        """The submission to a source that writes categories in this notation; InvalidCategory where it holds none."""
        category = str(notation.read(self.category)) if self.category else None
        content = Content(self.name, self.description, self.attributes, tuple(self.images), category)
        return Submission(self.external_id, content)


def upload_prefix_of(grant: Grant) -> str:
    """The prefix of the storage keys of this API key's uploads."""
    return f"uploads/{grant.key_id}/"


def check_image(reference: str, upload_prefix: str) -> None:
    """Raise InvalidInput unless it is an http(s) URL with a host, or a storage key of the caller's own uploads."""
    if "://" not in reference:
        if not reference.startswith(upload_prefix):
            raise InvalidInput(f"the image '{reference[:100]}' is not an upload of this key; see POST /v1/uploads")
        return
    try:
        url = urlsplit(reference)
        is_valid = url.scheme.lower() in {"http", "https"} and bool(url.hostname)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise InvalidInput(f"the image '{reference[:100]}' is not an http(s) URL")


class CodedReason(BaseModel):
    """A reason as a code with parameters; ``further`` reasons qualify it."""

    code: str
    parameters: dict[str, Any] = Field(description="numbers, strings, lists of strings, or coded reasons")
    further: list[CodedReason] = []


class DecisionResponse(BaseModel):
    """The decision and its reason. A provisional decision will be replaced by a final one."""

    status: str
    category: str | None
    confidence: float | None
    reason: str = Field(description="a sentence, in the language of Accept-Language")
    coded_reason: CodedReason | None = Field(None, description="the reason as a code; null for older decisions")
    level: int | None = Field(None, description="level of the category, 1 at the top")
    open_level: int | None = Field(
        None, description="the first level below the category that is left open, since nothing there is sure enough"
    )
    leaf_left_open: bool = Field(
        default=False, description="whether the category is answered without its deepest levels"
    )
    provisional: bool
    model: int | None = Field(description="number of the model version within its taxonomy")

    @model_validator(mode="after")
    def _set_levels(self) -> Self:
        self.level = level_of(self.category)
        self.open_level = open_level(self.coded_reason.model_dump() if self.coded_reason else None)
        self.leaf_left_open = self.open_level is not None
        return self


class ReceiptResponse(BaseModel):
    """The result of posting a listing; ``decision`` is set if it is already known."""

    id: int
    external_id: str
    source: str
    revision: int
    verdict: str
    status: str
    priority: str | None = Field(description="priority of its job; null if nothing changed")
    decision: DecisionResponse | None = None


class BatchRowResponse(BaseModel):
    """The verdict on one row of a batch; ``why`` is set if it was rejected."""

    row: int
    verdict: str
    external_id: str | None = None
    id: int | None = None
    revision: int | None = None
    why: str | None = None


class BatchResponse(BaseModel):
    """The verdicts in row order, and their counts."""

    new: int
    changed: int
    unchanged: int
    rejected: int
    rows: list[BatchRowResponse]


class ListingResponse(BaseModel):
    """A listing in a list. ``image`` is the position of a stored photo, null if there is none."""

    id: int
    external_id: str
    source: str
    name: str
    status: str
    category: str | None
    confidence: float | None
    reviewed: bool
    revision: int | None
    seller_category: str | None
    image: int | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, card: ListingCard) -> Self:
        """Build the response from a listing."""
        return cls.model_validate(card, from_attributes=True)


class ListingPage(BaseModel):
    """A page of listings; ``next`` is the cursor of the next page, null at the end."""

    items: list[ListingResponse]
    next: str | None

"""Listings as they are posted to the API, and as it returns them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from api.parameters import Clean
from infra.store.listings.queries import ListingCard, ListingFilter
from infra.store.listings.tables import ListingStatus
from pipeline.domain.api_key import Grant
from pipeline.domain.category import Category
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
from pipeline.domain.source import NAME_LIMIT

EXAMPLE: dict[str, Any] = {
    "source": "marketplace",
    "external_id": "SKU-1042",
    "name": "Blackout curtains, 2 panels, 140 x 260 cm",
    "description": "Thick polyester, eyelets, machine washable.",
    "attributes": {"Colour": "navy blue", "Material": "polyester"},
    "images": ["https://images.example.com/curtains.jpg"],
    "category": "Home Furnishing >> Curtains",
}


Moment = Annotated[
    datetime | None,
    AfterValidator(lambda moment: moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)),
    Field(description="a date, or a date and time; by UTC unless it names an offset"),
]
Confidence = Annotated[float | None, Field(ge=0, le=1)]


class ListingParameters(BaseModel):
    """The parameters of the list of listings: conditions, and the page."""

    status: ListingStatus | None = None
    category: Clean | None = Field(None, description="this category and everything below it")
    source: Clean | None = None
    min_confidence: Confidence = None
    max_confidence: Confidence = None
    q: Clean | None = Field(None, max_length=500, description="words of the id, name or description")
    created_after: Moment = None
    created_before: Moment = None
    reviewed: bool | None = None
    cursor: str | None = Field(None, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200)

    def filter(self, grant: Grant) -> ListingFilter:
        """The conditions, within the sources of the key."""
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


def _within(value: str, limit: int, part: str) -> str:
    if len(value) > limit:
        raise ValueError(f"{part} has {len(value):,} characters, at most {limit:,} are allowed")
    return value


class PostedListing(BaseModel):
    """A seller's product. Limits are in characters; NUL bytes are removed."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, json_schema_extra={"examples": [EXAMPLE]})

    source: Clean = Field(description=f"where the listing comes from, at most {NAME_LIMIT} characters")
    external_id: Clean = Field(description=f"the seller's own id, at most {MAX_EXTERNAL_ID} characters")
    name: Clean = Field("", description=f"at most {MAX_NAME:,} characters")
    description: Clean = Field("", description=f"at most {MAX_DESCRIPTION:,} characters")
    attributes: dict[Clean, Clean] = Field({}, description=f"at most {MAX_ATTRIBUTES}, of {MAX_ATTRIBUTE:,} characters")
    images: list[Clean] = Field([], description=f"upload keys or http(s) addresses, at most {MAX_IMAGES}")
    category: Clean | None = Field(None, description="the seller's own choice, such as 'Home >> Curtains'")

    @field_validator("source")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value:
            raise ValueError("the source is empty")
        return " ".join(_within(value, NAME_LIMIT, "the source").split())

    @field_validator("external_id")
    @classmethod
    def _short_id(cls, value: str) -> str:
        if not value:
            raise ValueError("the external id is empty")
        return _within(value, MAX_EXTERNAL_ID, "the external id")

    @field_validator("name")
    @classmethod
    def _short_name(cls, value: str) -> str:
        return " ".join(_within(value, MAX_NAME, "the name").split())

    @field_validator("description")
    @classmethod
    def _short_description(cls, value: str) -> str:
        return _within(value, MAX_DESCRIPTION, "the description")

    @field_validator("attributes")
    @classmethod
    def _few_attributes(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MAX_ATTRIBUTES:
            raise ValueError(f"{len(value)} attributes, at most {MAX_ATTRIBUTES} are allowed")
        for pair in value.items():
            for part in pair:
                _within(part, MAX_ATTRIBUTE, f"the attribute '{pair[0][:50]}'")
        return {name: text for name, text in value.items() if name}

    @field_validator("images")
    @classmethod
    def _few_images(cls, value: list[str]) -> list[str]:
        named = list(dict.fromkeys(image for image in value if image))
        if len(named) > MAX_IMAGES:
            raise ValueError(f"{len(named)} images, at most {MAX_IMAGES} are allowed")
        for image in named:
            _within(image, MAX_ADDRESS, "an image address")
        return named

    @field_validator("category")
    @classmethod
    def _path(cls, value: str | None) -> str | None:
        try:
            return str(Category.parse(value)) if value else None
        except InvalidCategory as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _something_to_judge(self) -> PostedListing:
        if not (self.name or self.description or self.images):
            raise ValueError("give a name, a description or an image: there is nothing to judge by")
        return self

    def submission(self, uploads: str) -> Submission:
        """The submission; InvalidInput for an image that is neither an address nor a key below ``uploads``."""
        for image in self.images:
            check_image(image, uploads)
        return Submission(
            self.external_id,
            Content(self.name, self.description, self.attributes, tuple(self.images), self.category),
        )


def uploads_of(grant: Grant) -> str:
    """The prefix of the storage keys of this API key's uploads."""
    return f"uploads/{grant.key_id}/"


def check_image(reference: str, uploads: str) -> None:
    """Raise InvalidInput unless it is an http(s) address with a host, or a key below ``uploads`` (the caller's own)."""
    if "://" not in reference:
        if not reference.startswith(uploads):
            raise InvalidInput(f"the image '{reference[:100]}' is no upload of this key; see POST /v1/uploads")
        return
    try:
        parts = urlsplit(reference)
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"the image '{reference[:100]}' is no http(s) address")


class CodedReason(BaseModel):
    """A reason as a code with the parameters of its sentence; ``further`` reasons qualify it."""

    code: str
    parameters: dict[str, Any] = Field(description="numbers, texts, lists of texts, or coded reasons")
    further: list[CodedReason] = []


class DecisionResponse(BaseModel):
    """The decision and its reason. A provisional decision will be replaced by a final one."""

    status: str
    category: str | None
    confidence: float | None
    reason: str = Field(description="a sentence, in the language of Accept-Language")
    coded_reason: CodedReason | None = Field(None, description="the same as a code; null for older decisions")
    provisional: bool
    model: int | None = Field(description="number of the model version within its taxonomy")


class ReceiptResponse(BaseModel):
    """The outcome of a posted listing; ``decision`` is set when it is known already."""

    id: int
    external_id: str
    source: str
    revision: int
    verdict: str
    status: str
    priority: str | None = Field(description="of its job; null when nothing changed")
    decision: DecisionResponse | None = None


class BatchRowResponse(BaseModel):
    """The verdict of one row of a batch; ``why`` is set when it was rejected."""

    row: int
    verdict: str
    external_id: str | None = None
    id: int | None = None
    revision: int | None = None
    why: str | None = None


class BatchResponse(BaseModel):
    """Verdicts in the order of the rows, and their counts."""

    new: int
    changed: int
    unchanged: int
    rejected: int
    rows: list[BatchRowResponse]


class ListingResponse(BaseModel):
    """A listing as lists show it. ``image`` is the position of a stored photo."""

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
        """The listing as it is returned."""
        return cls.model_validate(card, from_attributes=True)


class ListingPage(BaseModel):
    """A page of a list; ``next`` is the cursor of the following one, null at the end."""

    items: list[ListingResponse]
    next: str | None

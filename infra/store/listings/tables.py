"""Tables of listings, their revisions, their images and their provenance."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CodedReason, CreatedAt, PrimaryKey, TextStr, Timestamp, enum_of
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.listing import ImageStatus


class ListingStatus(StrEnum):
    """The state of a listing's current revision, as lists show it."""

    PENDING = "pending"
    ASSIGNED = DecisionStatus.ASSIGNED
    NEEDS_REVIEW = DecisionStatus.NEEDS_REVIEW
    ABSTAINED = DecisionStatus.ABSTAINED
    WITHDRAWN = "withdrawn"


class ListingRow(Base):
    """A seller's product. Status, category and confidence are copied from its latest decision for lists."""

    __tablename__ = "listings"
    __table_args__ = (
        UniqueConstraint("source_id", "external_id"),
        ForeignKeyConstraint(
            ["id", "current_revision_id"],
            ["revisions.listing_id", "revisions.id"],
            use_alter=True,
            name="fk_listings_current_revision",
        ),
        CheckConstraint("(status = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        Index("ix_listings_status", "status", "id"),
        Index("ix_listings_source_status", "source_id", "status", "id"),
        Index("ix_listings_category", "category", "id", postgresql_where=text("category IS NOT NULL")),
        Index("ix_listings_confidence", "confidence", "id", postgresql_where=text("confidence IS NOT NULL")),
        Index("ix_listings_created", "created_at", "id"),
        Index("ix_listings_search", text("to_tsvector('simple', search)"), postgresql_using="gin"),
    )

    id: Mapped[PrimaryKey]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    external_id: Mapped[TextStr]
    current_revision_id: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[ListingStatus] = mapped_column(enum_of(ListingStatus, "listing_status"))
    category: Mapped[TextStr | None]
    confidence: Mapped[float | None]
    reviewed: Mapped[bool] = mapped_column(server_default=text("false"))
    search: Mapped[TextStr] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    withdrawn_at: Mapped[Timestamp | None]


class RevisionRow(Base):
    """A version of a listing's content; never changed once written."""

    __tablename__ = "revisions"
    __table_args__ = (
        UniqueConstraint("listing_id", "number"),
        UniqueConstraint("listing_id", "id"),
        CheckConstraint("number >= 1", name="number"),
    )

    id: Mapped[PrimaryKey]
    listing_id: Mapped[int] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"))
    number: Mapped[int]
    fingerprint: Mapped[TextStr]
    name: Mapped[TextStr]
    description: Mapped[TextStr]
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    seller_category: Mapped[TextStr | None]
    created_at: Mapped[CreatedAt]


class ImageRow(Base):
    """An image of a revision: the seller's reference, and the storage key to which it was copied when first fetched."""

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("revision_id", "position"),
        CheckConstraint("(status = 'stored') = (storage_key IS NOT NULL)", name="stored"),
        Index("ix_images_storage_key", "storage_key", postgresql_where=text("storage_key IS NOT NULL")),
    )

    id: Mapped[PrimaryKey]
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id", ondelete="CASCADE"))
    position: Mapped[int]
    reference: Mapped[TextStr]
    status: Mapped[ImageStatus] = mapped_column(enum_of(ImageStatus, "image_status"))
    storage_key: Mapped[TextStr | None]
    reason: Mapped[TextStr | None]
    coded_reason: Mapped[CodedReason]


class ProvenanceRow(Base):
    """Where a collected listing comes from: its page at the product database and the categories it has there.

    ``categories`` are ordered from general to specific. The licence is that of ``database``.
    """

    __tablename__ = "provenances"
    __table_args__ = (Index("ix_provenances_categories", "categories", postgresql_using="gin"),)

    listing_id: Mapped[int] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    database: Mapped[TextStr]
    address: Mapped[TextStr]
    categories: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    modified_at: Mapped[Timestamp | None]
    seen_at: Mapped[CreatedAt]

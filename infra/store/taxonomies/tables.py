"""Tables of taxonomies and their categories."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp


class TaxonomyRow(Base):
    """A taxonomy and its pointer to the active model version; deciding transactions lock this row FOR SHARE."""

    __tablename__ = "taxonomies"
    __table_args__ = (
        # Composite, so that the active version can only be one of this taxonomy.
        ForeignKeyConstraint(
            ["id", "active_model_id"],
            ["model_versions.taxonomy_id", "model_versions.id"],
            use_alter=True,
            name="fk_taxonomies_active_model",
        ),
        CheckConstraint("level >= 1", name="level"),
    )

    id: Mapped[PrimaryKey]
    name: Mapped[TextStr] = mapped_column(unique=True)
    level: Mapped[int | None]
    active_model_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]


class CategoryRow(Base):
    """A category of a taxonomy, identified by the text of its canonical path, with the texts that describe it.

    ``external_id`` is its id in the file it was imported from; ``names`` are its name in other languages. A retired
    category, and those below it, are neither answered nor suggested by models, nor offered in lists.
    """

    __tablename__ = "categories"
    __table_args__ = (
        UniqueConstraint("taxonomy_id", "path"),
        CheckConstraint("level >= 1", name="level"),
        Index(
            "uq_categories_external_id",
            "taxonomy_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        Index("ix_categories_retired", "taxonomy_id", "path", postgresql_where=text("retired_at IS NOT NULL")),
    )

    id: Mapped[PrimaryKey]
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id", ondelete="CASCADE"))
    path: Mapped[TextStr]
    level: Mapped[int]
    description: Mapped[TextStr] = mapped_column(server_default="")
    synonyms: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    external_id: Mapped[TextStr | None]
    names: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    retired_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Timestamp] = mapped_column(server_default=func.now())

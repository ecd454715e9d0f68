"""Taxonomies, their categories, their model versions, and the sources that name them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp, enum_of
from pipeline.domain.model_version import ModelStatus


class TaxonomyRow(Base):
    """A taxonomy and its pointer to the active model version; deciding transactions lock this row FOR SHARE."""

    __tablename__ = "taxonomies"
    __table_args__ = (
        # Composite, so that the active version can only be one of this very taxonomy.
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
    """A category of a taxonomy, by its canonical path text."""

    __tablename__ = "categories"
    __table_args__ = (
        UniqueConstraint("taxonomy_id", "path"),
        CheckConstraint("level >= 1", name="level"),
    )

    id: Mapped[PrimaryKey]
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id", ondelete="CASCADE"))
    path: Mapped[TextStr]
    level: Mapped[int]
    created_at: Mapped[CreatedAt]


class SourceRow(Base):
    """Where listings come from; a source names the taxonomy of its listings."""

    __tablename__ = "sources"

    id: Mapped[PrimaryKey]
    name: Mapped[TextStr] = mapped_column(unique=True)
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id"), index=True)
    created_at: Mapped[CreatedAt]


class ModelVersionRow(Base):
    """A trained bundle: manifest and metrics here, artefacts in the object storage.

    ``problem`` says why the last worker that tried could not read it; None while it can be read.
    """

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("taxonomy_id", "number"),
        UniqueConstraint("taxonomy_id", "id"),
        Index("uq_model_versions_active", "taxonomy_id", unique=True, postgresql_where=text("status = 'active'")),
    )

    id: Mapped[PrimaryKey]
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id"))
    number: Mapped[int]
    status: Mapped[ModelStatus] = mapped_column(enum_of(ModelStatus, "model_status"))
    manifest: Mapped[dict[str, Any]] = mapped_column(JSONB)
    problem: Mapped[TextStr | None]
    created_at: Mapped[CreatedAt]
    promoted_at: Mapped[Timestamp | None]
    retired_at: Mapped[Timestamp | None]

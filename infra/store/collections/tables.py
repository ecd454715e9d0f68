"""Standing queries to product databases, where products come from, and what their categories mean here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp, enum_of
from pipeline.domain.rule import RuleStatus


class CollectionRow(Base):
    """A query to an external product database that is asked again and again; its runs are imports.

    ``database`` names the product database, ``source_id`` the source its products become listings of. ``schedule`` is
    a cron line by UTC, or ``every N`` in seconds; NULL for one that runs on request only. ``next_at`` is when it is due
    next, NULL while it is not: without a schedule, or paused.
    """

    __tablename__ = "collections"
    __table_args__ = (UniqueConstraint("source_id", "fingerprint"),)

    id: Mapped[PrimaryKey]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    database: Mapped[TextStr]
    query: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[TextStr]
    schedule: Mapped[TextStr | None]
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    next_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]


class CategoryRuleRow(Base):
    """What a category of a product database means in the marketplace's taxonomy.

    ``category_id`` NULL says that it means nothing here. Proposals carry their grounds: ``similarity`` of the texts
    and ``agreement`` of the classifier (shares), ``support`` in listings, and in ``grounds`` what these are made of;
    ``decided_by`` is who took or refused it.
    """

    __tablename__ = "category_rules"
    __table_args__ = (
        Index(
            "uq_category_rules_accepted",
            "source_id",
            "source_category",
            unique=True,
            postgresql_where=text("status = 'accepted'"),
        ),
        UniqueConstraint("source_id", "source_category", "category_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("(status = 'proposed') = (decided_by IS NULL)", name="decided"),
        CheckConstraint("score BETWEEN 0 AND 1", name="score"),
    )

    id: Mapped[PrimaryKey]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    source_category: Mapped[TextStr]
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id", ondelete="CASCADE"), index=True)
    status: Mapped[RuleStatus] = mapped_column(enum_of(RuleStatus, "rule_status"), server_default=RuleStatus.PROPOSED)
    score: Mapped[float | None] = mapped_column(Float)
    similarity: Mapped[float | None] = mapped_column(Float)
    agreement: Mapped[float | None] = mapped_column(Float)
    support: Mapped[int] = mapped_column(server_default=text("0"))
    grounds: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    decided_by: Mapped[TextStr | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

"""The table of rules."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, enum_of
from pipeline.domain.rule import RuleStatus


class CategoryRuleRow(Base):
    """The meaning of a product database's category in the marketplace's taxonomy.

    ``category_id`` is NULL if no category of the taxonomy corresponds. Proposals carry their reasons: ``similarity`` of
    the texts and ``agreement`` of the classifier (shares), ``support`` in listings, and in ``grounds`` the figures
    behind these. ``decided_by`` is who accepted or refused the rule.
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

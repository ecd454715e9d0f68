"""Studies and their trials; the jobs of a study carry its id in their payload."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CodedReason, CreatedAt, PrimaryKey, TextStr, Timestamp, enum_of
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Feasibility, Stage, StudyProtocol, StudyStatus, TrialStatus


class StudyRow(Base):
    """A feasibility study: its plan, what it ran on, and its verdict; the report itself is in the object storage.

    ``agenda`` names the jobs of the stages that have several. ``requested_by`` is NULL if the schedule started it.
    ``best`` repeats the best ARI of each modality, so that trends can be shown without the reports.
    """

    __tablename__ = "studies"
    __table_args__ = (
        CheckConstraint("(status = 'running') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(status = 'failed') = (error IS NOT NULL)", name="error"),
        CheckConstraint("(status = 'done') = (verdict IS NOT NULL)", name="verdict"),
        CheckConstraint("level >= 1", name="level"),
        Index("ix_studies_taxonomy", "taxonomy_id", "id"),
        Index("uq_studies_running", "taxonomy_id", unique=True, postgresql_where=text("status = 'running'")),
    )

    id: Mapped[PrimaryKey]
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id"))
    status: Mapped[StudyStatus] = mapped_column(
        enum_of(StudyStatus, "study_status"), server_default=StudyStatus.RUNNING
    )
    stage: Mapped[Stage] = mapped_column(enum_of(Stage, "study_stage"), server_default=Stage.SAMPLE)
    unique_key: Mapped[TextStr | None] = mapped_column(unique=True)
    requested_by: Mapped[TextStr | None]
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB)
    agenda: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    fingerprint: Mapped[TextStr | None]
    level: Mapped[int | None]
    categories: Mapped[int | None]
    listings: Mapped[int | None]
    studied: Mapped[int | None]
    verdict: Mapped[Feasibility | None] = mapped_column(enum_of(Feasibility, "feasibility"))
    best: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    error: Mapped[TextStr | None]
    coded_error: Mapped[CodedReason]
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[Timestamp | None]


class TrialRow(Base):
    """One extractor, or a combination, under one protocol within a study."""

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("study_id", "extractor", "protocol"),
        CheckConstraint("(status = 'waiting') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(status IN ('unavailable', 'failed')) = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("(status = 'done') = (figures IS NOT NULL)", name="figures"),
    )

    id: Mapped[PrimaryKey]
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    extractor: Mapped[TextStr]
    modality: Mapped[Modality] = mapped_column(enum_of(Modality, "modality"))
    protocol: Mapped[StudyProtocol] = mapped_column(enum_of(StudyProtocol, "study_protocol"))
    status: Mapped[TrialStatus] = mapped_column(
        enum_of(TrialStatus, "trial_status"), server_default=TrialStatus.WAITING
    )
    figures: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reason: Mapped[TextStr | None]
    coded_reason: Mapped[CodedReason]
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[Timestamp | None]

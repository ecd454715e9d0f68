"""Tables of the outbox: jobs, their attempts, dead letters, and workers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, ForeignKeyConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CodedReason, CreatedAt, PrimaryKey, TextStr, Timestamp, enum_of
from infra.store.sql_fragments import SQL_OPEN_STATES, SQL_OUT_STATES
from pipeline.domain.job import AttemptOutcome, JobKind, JobState, Priority, Queue

IS_WAITING = text(f"state = '{JobState.WAITING}'")
IS_OPEN = text(f"state IN {SQL_OPEN_STATES}")
STUDY_ID = text("((payload ->> 'study_id')::bigint)")
SOURCE_ID = text("((payload ->> 'source_id')::bigint)")
TAXONOMY_ID = text("((payload ->> 'taxonomy_id')::bigint)")


class JobRow(Base):
    """A job, also its own outbox row. ``attempt`` counts claims and fences writes; ``failures`` counts to the limit.

    ``deadline`` is set, by Postgres's clock, while the job is out (sent or leased).
    """

    __tablename__ = "jobs"
    __table_args__ = (
        # Both columns are set or neither is, and the revision is one of that listing.
        ForeignKeyConstraint(
            ["listing_id", "revision_id"],
            ["revisions.listing_id", "revisions.id"],
            ondelete="CASCADE",
            match="FULL",
            name="fk_jobs_revision",
        ),
        CheckConstraint(f"(state IN {SQL_OUT_STATES}) = (deadline IS NOT NULL)", name="deadline"),
        CheckConstraint(
            "kind <> 'categorise' OR (revision_id IS NOT NULL AND listing_id IS NOT NULL)", name="revision"
        ),
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
        Index("uq_jobs_open_revision", "revision_id", unique=True, postgresql_where=IS_OPEN),
        Index("ix_jobs_waiting", "queue", "priority", "not_before", "id", postgresql_where=IS_WAITING),
        Index("ix_jobs_out", "queue", "deadline", postgresql_where=text(f"state IN {SQL_OUT_STATES}")),
        Index("ix_jobs_open_listing", "listing_id", postgresql_where=IS_OPEN),
        Index("ix_jobs_revision", "revision_id"),
        Index("ix_jobs_study", STUDY_ID, postgresql_where=text("payload ? 'study_id'")),
        Index("ix_jobs_source", SOURCE_ID, postgresql_where=text("payload ? 'source_id'")),
        Index("ix_jobs_taxonomy", TAXONOMY_ID, "id", postgresql_where=text("payload ? 'taxonomy_id'")),
    )

    id: Mapped[PrimaryKey]
    kind: Mapped[JobKind] = mapped_column(enum_of(JobKind, "job_kind"))
    priority: Mapped[Priority] = mapped_column(enum_of(Priority, "priority"))
    queue: Mapped[Queue] = mapped_column(enum_of(Queue, "queue"))
    state: Mapped[JobState] = mapped_column(enum_of(JobState, "job_state"), server_default=JobState.WAITING)
    listing_id: Mapped[int | None] = mapped_column(BigInteger)
    revision_id: Mapped[int | None] = mapped_column(BigInteger)
    unique_key: Mapped[TextStr | None] = mapped_column(unique=True)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    deaths_alone: Mapped[int] = mapped_column(server_default=text("0"))
    alone: Mapped[bool] = mapped_column(server_default=text("false"))
    not_before: Mapped[Timestamp] = mapped_column(server_default=func.now())
    deadline: Mapped[Timestamp | None]
    leased_at: Mapped[Timestamp | None]
    worker: Mapped[TextStr | None]
    progress: Mapped[float | None] = mapped_column(Float)
    note: Mapped[TextStr | None]
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[Timestamp | None]


class AttemptRow(Base):
    """One claim of a job: by which worker, when, how it ended, and the seconds of each stage."""

    __tablename__ = "attempts"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[TextStr]
    started_at: Mapped[CreatedAt]
    ended_at: Mapped[Timestamp | None]
    outcome: Mapped[AttemptOutcome | None] = mapped_column(enum_of(AttemptOutcome, "outcome"))
    error: Mapped[TextStr | None]
    seconds: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class DeadLetterRow(Base):
    """A job that was given up, with the reason, the traceback and its attempts; replaying returns it to ``waiting``."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        Index("uq_dead_letters_open", "job_id", unique=True, postgresql_where=text("replayed_at IS NULL")),
        Index("ix_dead_letters_created", "created_at", "id"),
    )

    id: Mapped[PrimaryKey]
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    reason: Mapped[TextStr]
    coded_reason: Mapped[CodedReason]
    traceback: Mapped[TextStr | None]
    history: Mapped[list[Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]
    replayed_at: Mapped[Timestamp | None]


class WorkerRow(Base):
    """A worker process with its slots and its speed, which tell the relay how much to send."""

    __tablename__ = "workers"
    __table_args__ = (CheckConstraint("slots >= 1", name="slots"),)

    name: Mapped[TextStr] = mapped_column(primary_key=True)
    role: Mapped[TextStr]
    queue: Mapped[Queue] = mapped_column(enum_of(Queue, "queue"))
    slots: Mapped[int]
    seconds_per_listing: Mapped[float | None]
    memory: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[CreatedAt]
    seen_at: Mapped[CreatedAt]

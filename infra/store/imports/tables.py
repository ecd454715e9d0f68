"""Tables of imports, their rows and their differences."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CodedReason, CreatedAt, PrimaryKey, TextStr, Timestamp, enum_of
from pipeline.domain.import_run import Difference, ImportStatus
from pipeline.domain.verdict import Verdict


class ImportRow(Base):
    """One run over a file or an external product database; the cursor is committed with each page of rows.

    ``fingerprint`` identifies what is read and how: a run with the same one continues where an interrupted one stopped.
    ``query`` is the query to a product database, with the ``database``; ``complete`` says whether the run saw all there
    was, not cut off by a limit; ``vanished`` counts products that the previous run had and this one did not see, NULL
    unless both are complete. All three stay NULL for a file.
    """

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint("(status = 'running') = (ended_at IS NULL)", name="ended"),
        Index("ix_imports_started", "started_at", "id"),
        Index("ix_imports_collection", "collection_id", "id", postgresql_where=text("collection_id IS NOT NULL")),
    )

    id: Mapped[PrimaryKey]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    collection_id: Mapped[int | None] = mapped_column(ForeignKey("collections.id", ondelete="SET NULL"))
    origin: Mapped[TextStr]
    query: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    status: Mapped[ImportStatus] = mapped_column(enum_of(ImportStatus, "run_status"))
    unique_key: Mapped[TextStr | None] = mapped_column(unique=True)
    total: Mapped[int | None]
    new: Mapped[int] = mapped_column(server_default=text("0"))
    changed: Mapped[int] = mapped_column(server_default=text("0"))
    unchanged: Mapped[int] = mapped_column(server_default=text("0"))
    rejected: Mapped[int] = mapped_column(server_default=text("0"))
    variant: Mapped[int] = mapped_column(server_default=text("0"))
    without_photo: Mapped[int] = mapped_column(server_default=text("0"))
    complete: Mapped[bool | None]
    vanished: Mapped[int | None]
    came_back: Mapped[int | None]
    fingerprint: Mapped[TextStr | None]
    cursor: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    note: Mapped[TextStr | None]
    coded_note: Mapped[CodedReason]
    started_at: Mapped[CreatedAt]
    ended_at: Mapped[Timestamp | None]


class ImportVerdictRow(Base):
    """The verdict of one row of an import."""

    __tablename__ = "import_rows"
    __table_args__ = (
        CheckConstraint("(verdict = 'rejected') = (reason IS NOT NULL)", name="reason"),
        # The few rows that users look for; an index of all rows would slow down every import.
        Index(
            "ix_import_rows_told",
            "import_id",
            "verdict",
            "number",
            postgresql_where=text("verdict IN ('changed', 'rejected')"),
        ),
    )

    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    external_id: Mapped[TextStr | None]
    listing_id: Mapped[int | None] = mapped_column(ForeignKey("listings.id", ondelete="SET NULL"), index=True)
    verdict: Mapped[Verdict] = mapped_column(enum_of(Verdict, "verdict"))
    reason: Mapped[TextStr | None]
    note: Mapped[TextStr | None]
    coded_reason: Mapped[CodedReason]
    coded_notes: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))


class ImportDifferenceRow(Base):
    """A product in which a complete run differs from the previous complete run of the same query.

    ``number`` is that of its row: in this run if the product came back, in the previous run if it vanished.
    """

    __tablename__ = "import_differences"

    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[Difference] = mapped_column(enum_of(Difference, "difference"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    external_id: Mapped[TextStr]
    listing_id: Mapped[int | None] = mapped_column(ForeignKey("listings.id", ondelete="SET NULL"), index=True)

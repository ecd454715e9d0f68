"""Tables of the rate limits and the health of hosts."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, TextStr, Timestamp


class HostSlotRow(Base):
    """One of the requests of a ``kind`` that a host allows within a window of time; free from ``free_at`` on."""

    __tablename__ = "host_slots"

    host: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    free_at: Mapped[Timestamp]


class HostHealthRow(Base):
    """The recent health of a host: its failures in a row, and the end of its pause, if it is paused."""

    __tablename__ = "host_health"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures"),)

    host: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    left_alone_until: Mapped[Timestamp | None]
    reason: Mapped[TextStr | None]

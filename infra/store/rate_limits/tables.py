"""Hosts of product databases: whose turn it is to ask them, and whether they are left alone for a while."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, TextStr, Timestamp


class HostSlotRow(Base):
    """One of the requests of a ``kind`` that a host allows within a minute; it is to be had from ``free_at`` on."""

    __tablename__ = "host_slots"

    host: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    free_at: Mapped[Timestamp]


class HostHealthRow(Base):
    """How a host has answered lately: failures in a row, and until when nobody asks it."""

    __tablename__ = "host_health"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures"),)

    host: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    left_alone_until: Mapped[Timestamp | None]
    reason: Mapped[TextStr | None]

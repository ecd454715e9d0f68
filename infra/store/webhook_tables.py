"""Webhooks and their deliveries: tables that nothing writes to yet, kept for the delivery of events.

Webhooks are to follow the Standard Webhooks specification (https://www.standardwebhooks.com): signed requests with
ids and timestamps, retried with backoff for days. The tables have existed since the first schema; dropping and
recreating them would cost two migrations and gain nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp


class WebhookRow(Base):
    """A URL that is notified of events of these kinds, with its signing secret."""

    __tablename__ = "webhooks"

    id: Mapped[PrimaryKey]
    api_key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    url: Mapped[TextStr]
    secret: Mapped[TextStr]
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[Timestamp | None]


class DeliveryRow(Base):
    """The delivery of one event to one webhook, with the ``attempts`` made so far."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("uq_deliveries_webhook_event", "webhook_id", "event_id", unique=True),
        Index("ix_deliveries_due", "not_before", postgresql_where=text("delivered_at IS NULL")),
    )

    id: Mapped[PrimaryKey]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), index=True)
    attempts: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    not_before: Mapped[CreatedAt]
    delivered_at: Mapped[Timestamp | None]

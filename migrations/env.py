"""Alembic's entry point; an advisory lock lets only one process migrate at a time, as several may start together."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text

from infra.store.database import metadata

MIGRATION_LOCK = 7_206_001

engine = create_engine(context.config.attributes["database_url"])
with engine.connect() as connection:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata(), compare_server_default=False)
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
engine.dispose()

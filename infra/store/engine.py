"""Connections to Postgres, with time limits, so that nobody waits for ever."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

CONNECT_SECONDS = 5


def open_engine(database_url: str, *, pool_size: int = 5, application: str = "rayon", pooled: bool = True) -> Engine:
    """An engine whose connections are tested before use and whose transactions cannot be left open for minutes.

    Nothing connects until the first use. ``pooled=False`` opens a connection per use, for processes that fork.
    """
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": application,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        # A page of an import fits into temporary tables that stay in memory.
        "options": "-c idle_in_transaction_session_timeout=60000 -c lock_timeout=30000 -c temp_buffers=32MB",
    }
    if not pooled:
        return create_engine(database_url, poolclass=NullPool, connect_args=arguments)
    return create_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=600,
        connect_args=arguments,
    )

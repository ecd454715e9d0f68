"""The database: its engine, the metadata of all tables, and migrations up and down."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.pool import NullPool

from infra.store.base import Base
from infra.store.collections import tables as collections_tables
from infra.store.decisions import tables as decisions_tables
from infra.store.imports import tables as imports_tables
from infra.store.jobs import tables as jobs_tables
from infra.store.keys import tables as keys_tables
from infra.store.listings import tables as listings_tables
from infra.store.rate_limits import tables as rate_limits_tables
from infra.store.studies import tables as studies_tables
from infra.store.taxonomies import tables as taxonomies_tables
from infra.store.webhooks import tables as webhooks_tables

CONNECT_SECONDS = 5


def open_engine(database_url: str, *, pool_size: int = 5, application: str = "rayon", pooled: bool = True) -> Engine:
    """An engine whose connections are tested before use and whose transactions cannot stay open for minutes.

    Nothing connects before the first use. ``pooled=False`` opens a connection per use, for processes that fork.
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


TABLE_MODULES = (  # imported so that their tables are in the metadata
    taxonomies_tables,
    listings_tables,
    decisions_tables,
    jobs_tables,
    collections_tables,
    imports_tables,
    studies_tables,
    keys_tables,
    rate_limits_tables,
    webhooks_tables,
)


def metadata() -> MetaData:
    """The metadata of every table."""
    return Base.metadata


def alembic_config(database_url: str) -> Config:
    """Alembic's configuration for one database, instead of an alembic.ini."""
    config = Config()
    location = Path(__file__).resolve().parents[2] / "migrations"
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    """Migrate the database up to ``revision``; does nothing when it is there."""
    command.upgrade(alembic_config(database_url), revision)


def downgrade(database_url: str, revision: str) -> None:
    """Migrate the database down to ``revision`` (``base``: empty)."""
    command.downgrade(alembic_config(database_url), revision)

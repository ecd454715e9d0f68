"""The database: its engine, the metadata of all tables, migrations up and down, and its health."""

from __future__ import annotations

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from infra.store import collections as collections_tables
from infra.store import decisions as decisions_tables
from infra.store import host_rate_limits as rate_limits_tables
from infra.store import idempotency as idempotency_tables
from infra.store import keys as keys_tables
from infra.store import models as models_tables
from infra.store import webhook_tables
from infra.store.base import Base
from infra.store.imports import tables as imports_tables
from infra.store.jobs import tables as jobs_tables
from infra.store.listings import tables as listings_tables
from infra.store.rules import tables as rules_tables
from infra.store.studies import tables as studies_tables
from infra.store.taxonomies import tables as taxonomies_tables

CONNECT_TIMEOUT_SECONDS = 5


def open_engine(database_url: str, *, pool_size: int = 5, application: str = "rayon", pooled: bool = True) -> Engine:
    """An engine whose connections are tested before use and whose transactions cannot stay idle for over a minute.

    No connection is made before the first use. ``pooled=False`` opens a connection per use, for processes that fork.
    """
    arguments = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": application,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        # Large enough for the temporary tables of an import's page to stay in memory.
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


TABLE_MODULES = (  # imported so that the metadata contains their tables
    taxonomies_tables,
    models_tables,
    listings_tables,
    decisions_tables,
    jobs_tables,
    collections_tables,
    rules_tables,
    imports_tables,
    studies_tables,
    keys_tables,
    idempotency_tables,
    rate_limits_tables,
    webhook_tables,
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
    """Migrate the database up to ``revision``; does nothing if it is already there."""
    command.upgrade(alembic_config(database_url), revision)


def downgrade(database_url: str, revision: str) -> None:
    """Migrate the database down to ``revision`` (``base`` for an empty database)."""
    command.downgrade(alembic_config(database_url), revision)


COUNT_RELAY_LOCKS = text(
    """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)

ENCODING_ADVICE = "make one with: CREATE DATABASE rayon ENCODING 'UTF8' TEMPLATE template0"


def relay_is_active(connection: Connection, key: int) -> bool:
    """Whether any session holds the advisory lock of the active relay."""
    return bool(connection.scalar(COUNT_RELAY_LOCKS, {"key": key}))


def schema_revision(connection: Connection) -> str | None:
    """The migration that the database is at; None if it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def newest_revision() -> str | None:
    """The last migration of this version of Rayon."""
    return ScriptDirectory.from_config(alembic_config("")).get_current_head()


def encoding(connection: Connection) -> str:
    """The encoding of the database; encodings other than UTF8 cannot store every text of sellers."""
    return str(connection.scalar(text("SHOW server_encoding")))


def clock_skew(connection: Connection) -> float:
    """Seconds by which the database's clock, which all deadlines use, is ahead of this machine's clock."""
    before = time.time()
    database_time = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8"))
    # The database read its clock about halfway between sending and receiving.
    return float(database_time or 0.0) - (before + time.time()) / 2

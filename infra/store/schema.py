"""The schema as a whole: its metadata, and moving a database up or down."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData

from infra.store.models import access, answers, arrivals, collections, hosts, jobs, listings, studies, taxonomies
from infra.store.models.base import Base

FAMILIES = (taxonomies, listings, answers, jobs, collections, arrivals, studies, access, hosts)


def metadata() -> MetaData:
    """Every table of the store."""
    return Base.metadata


def alembic_config(database_url: str) -> Config:
    """Alembic's configuration for one database; there is no alembic.ini to keep in step."""
    config = Config()
    location = Path(__file__).resolve().parents[2] / "migrations"
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to ``revision``; does nothing when it is there."""
    command.upgrade(alembic_config(database_url), revision)


def downgrade(database_url: str, revision: str) -> None:
    """Take the database back to ``revision`` (``base``: empty)."""
    command.downgrade(alembic_config(database_url), revision)

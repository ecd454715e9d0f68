"""The command that migrates the database to the newest schema."""

from __future__ import annotations

import os

import typer

from pipeline.domain.errors import InvalidInput
from workers.bootstrap import settings_of


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate() -> None:
    """Migrate the database to the newest schema."""
    from infra.store.database import ENCODING_ADVICE, encoding, open_engine, upgrade

    database_url = settings_of(os.environ).database_url
    with open_engine(database_url, application="rayon migrate", pooled=False).connect() as connection:
        database_encoding = encoding(connection)
    if database_encoding != "UTF8":
        raise InvalidInput(
            f"the database encodes text as {database_encoding}, which cannot represent everything that sellers write; "
            f"{ENCODING_ADVICE}"
        )
    upgrade(database_url)

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

    address = settings_of(os.environ).database_url
    with open_engine(address, application="rayon migrate", pooled=False).connect() as connection:
        used = encoding(connection)
    if used != "UTF8":
        raise InvalidInput(
            f"the database encodes text as {used}, which cannot hold everything that sellers write; {ENCODING_ADVICE}"
        )
    upgrade(address)

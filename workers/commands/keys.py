"""Commands about API keys: make, list and revoke them."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from infra.store.database import open_engine
from infra.store.keys.repository import create_key, list_keys, revoke_key
from pipeline.domain.errors import InvalidInput, NotFound
from workers.bootstrap import settings_of
from workers.commands.options import group
from workers.commands.terminal import AsJson, say, say_json


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    keys = group("keys", "API keys: create, list, revoke.")
    keys.command()(create)
    keys.command(name="list")(show)
    keys.command()(revoke)
    app.add_typer(keys)


def create(
    name: Annotated[str, typer.Option(help="who uses the key, for your own lists")],
    scope: Annotated[list[str], typer.Option(help="submit, read or admin; may be given several times")],
    source: Annotated[list[str] | None, typer.Option(help="a source it may touch; may be given several times")] = None,
    every_source: Annotated[bool, typer.Option("--every-source", help="it may touch every source")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and print its secret, this once; only a hash of it is kept."""
    if every_source and source:
        raise InvalidInput("give either --source or --every-source")
    if not (every_source or source or "admin" in scope):
        raise InvalidInput("say which sources the key may touch: --source NAME, or --every-source")
    engine = open_engine(settings_of(os.environ).database_url)
    with engine.begin() as connection:
        made = create_key(connection, name, scope, source or None)
        record = list_keys(connection, made.id)[0]
    if as_json:
        say_json({**asdict(record), "secret": made.secret})
        return
    say(f"key {made.id}, shown this once:\n\n    {made.secret}\n")


def show(as_json: AsJson = False) -> None:
    """List all keys, revoked ones too; secrets are kept nowhere."""
    engine = open_engine(settings_of(os.environ).database_url)
    with engine.connect() as connection:
        keys = list_keys(connection)
    if as_json:
        say_json([asdict(key) for key in keys])
        return
    for key in keys:
        sources = "every source" if key.sources is None else ", ".join(key.sources)
        end = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else f"since {key.created_at:%Y-%m-%d %H:%M}"
        say(f"{key.id:>5}  {key.name}  [{', '.join(key.scopes)}]  {sources}  {end}")
    if not keys:
        say("there is no key yet; make one with: rayon keys create")


def revoke(
    key_id: Annotated[int, typer.Argument(help="the number that 'rayon keys list' shows", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """Refuse a key from now on."""
    engine = open_engine(settings_of(os.environ).database_url)
    with engine.begin() as connection:
        if not revoke_key(connection, key_id):
            raise NotFound(f"there is no key {key_id} that is still good")
    if as_json:
        say_json({"id": key_id, "revoked": True})
        return
    say(f"key {key_id} is revoked")

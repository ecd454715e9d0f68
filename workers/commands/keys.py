"""Commands on API keys: create, list and revoke them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from infra.store.keys import list_keys
from pipeline.domain.api_key import KeyRequest
from pipeline.domain.errors import InvalidInput
from pipeline.steps import keys as use_cases
from workers.commands.command_context import open_context
from workers.commands.options import group
from workers.commands.terminal import AsJson, print_json, print_line


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    keys = group("keys", "API keys: create, list, revoke.")
    keys.command()(create)
    keys.command(name="list")(list_)
    keys.command()(revoke)
    app.add_typer(keys)


def create(
    name: Annotated[str, typer.Option(help="who uses the key, a label for your own reference")],
    scope: Annotated[list[str], typer.Option(help="submit, read or admin; may be repeated")],
    source: Annotated[list[str] | None, typer.Option(help="a source it may access; may be repeated")] = None,
    *,
    every_source: Annotated[bool, typer.Option("--every-source", help="it may access every source")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a key and print its secret, which is shown only once; only a hash of it is stored."""
    if every_source and source:
        raise InvalidInput("give either --source or --every-source")
    if not (every_source or source or "admin" in scope):
        raise InvalidInput("name the sources that the key may access: --source NAME, or --every-source")
    created = use_cases.create_key(open_context("keys").units, KeyRequest.of(name, scope, source or None))
    if as_json:
        print_json({**asdict(created.key), "secret": created.secret})
    else:
        print_line(f"key {created.key.id}, shown only once:\n\n    {created.secret}\n")


def list_(*, as_json: AsJson = False) -> None:
    """List all keys, including revoked ones; secrets are not stored."""
    with open_context("keys").engine.connect() as connection:
        keys = list_keys(connection)
    if as_json:
        print_json([asdict(key) for key in keys])
        return
    for key in keys:
        sources = "every source" if key.sources is None else ", ".join(key.sources)
        revoked_at, created_at = key.revoked_at, key.created_at
        status = f"revoked {revoked_at:%Y-%m-%d %H:%M}" if revoked_at else f"since {created_at:%Y-%m-%d %H:%M}"
        print_line(f"{key.id:>5}  {key.name}  [{', '.join(key.scopes)}]  {sources}  {status}")
    if not keys:
        print_line("there is no key yet; create one with: rayon keys create")


def revoke(
    key_id: Annotated[int, typer.Argument(help="the number that 'rayon keys list' shows", metavar="ID")],
    *,
    as_json: AsJson = False,
) -> None:
    """Revoke a key: its next request is refused."""
    use_cases.revoke_key(open_context("keys").units, key_id, even_last_admin=True)
    if as_json:
        print_json({"id": key_id, "revoked": True})
    else:
        print_line(f"key {key_id} is revoked")

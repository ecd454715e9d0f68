"""Commands on standing collections; ``rayon collect … --every`` makes one, or gives it another schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from infra.store.collections.repository import (
    find_collection,
    list_collections,
    pause_collection,
    remove_collection,
    resume_collection,
    run_collection,
)
from workers.commands.options import group
from workers.commands.terminal import TIME_FORMAT, AsJson, open_context, say, say_json, say_table

collections = group("collections", "What is collected again and again: list, pause, resume, remove, run.")
CollectionId = Annotated[int, typer.Argument(metavar="ID", help="the number that 'collections list' shows")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(collections)


@collections.command("list")
def list_(as_json: AsJson = False) -> None:
    """List standing collections, when each is due next (UTC), and its latest import."""
    with open_context("collections").engine.connect() as connection:
        found = list_collections(connection, None)
    if as_json:
        say_json(found)
        return
    if not found:
        say("nothing is collected again and again yet; see --every of: rayon collect --help")
        return
    rows = [
        (
            one["id"],
            one["source"],
            one["database"],
            asked_in_words(one["query"]),
            one["schedule"] or "on request",
            _due(one),
            f"{one['last_import_id']} ({one['last_status']})" if one["last_import_id"] else "",
        )
        for one in found
    ]
    say_table(("id", "source", "database", "what", "schedule", "next (UTC)", "last import"), rows)


@collections.command()
def pause(collection_id: CollectionId, as_json: AsJson = False) -> None:
    """Let a collection not be due any more; an import of it that runs goes on."""
    _changed(pause_collection, collection_id, as_json)


@collections.command()
def resume(collection_id: CollectionId, as_json: AsJson = False) -> None:
    """Let a paused collection be due again by its schedule."""
    _changed(resume_collection, collection_id, as_json)


@collections.command()
def remove(collection_id: CollectionId, as_json: AsJson = False) -> None:
    """Forget a collection; its imports and listings stay."""
    with open_context("collections").engine.begin() as connection:
        remove_collection(connection, collection_id)
    if as_json:
        say_json({"removed": collection_id})
    else:
        say(f"collection {collection_id} is removed")


@collections.command()
def run(collection_id: CollectionId, as_json: AsJson = False) -> None:
    """Ask a worker for a run now; the schedule stays as it is."""
    with open_context("collections").engine.begin() as connection:
        import_id, begun = run_collection(connection, collection_id)
    if as_json:
        say_json({"import": import_id, "begun": begun})
    else:
        say(f"import {import_id} {'is begun' if begun else 'runs already'}; follow it: rayon imports show {import_id}")


def asked_in_words(query: Mapping[str, Any]) -> str:
    """What a database is asked, as lists show it."""
    limit = f", at most {query['limit']}" if query.get("limit") else ""
    return f"{query['kind']} {query['value']}".strip() + limit


def _changed(change: Callable[[Connection, int], None], collection_id: int, as_json: bool) -> None:
    with open_context("collections").engine.begin() as connection:
        change(connection, collection_id)
        found = find_collection(connection, collection_id)
    if as_json:
        say_json(found)
    else:
        say(f"collection {collection_id}: {_due(found)}")


def _due(one: Mapping[str, Any]) -> str:
    if one["paused"]:
        return "paused"
    return f"{one['next_at'].astimezone(UTC):{TIME_FORMAT}}" if one["next_at"] else "on request"

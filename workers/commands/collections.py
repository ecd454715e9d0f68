"""Commands on collections; ``rayon collect … --every`` adds one or changes its schedule."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import Annotated

import typer

from infra.store.collections import CollectionView, find_collection, list_collections
from pipeline.domain.collection import CollectionUpdate
from pipeline.domain.product_source import ProductQuery
from pipeline.steps import collections as use_cases
from workers.commands.command_context import open_context
from workers.commands.options import group
from workers.commands.terminal import TIME_FORMAT, AsJson, print_json, print_line, print_table

collections = group(
    "collections", "Queries to product databases that run on a schedule: list, pause, resume, remove, run."
)
CollectionId = Annotated[int, typer.Argument(metavar="ID", help="the number that 'collections list' shows")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(collections)


@collections.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List collections, with the next time each is due (UTC) and its latest import."""
    with open_context("collections").engine.connect() as connection:
        listed_collections = list_collections(connection, None)
    if as_json:
        print_json([collection_as_json(collection) for collection in listed_collections])
        return
    if not listed_collections:
        print_line("there is no collection yet; see --every of: rayon collect --help")
        return
    rows = [
        (
            collection.id,
            collection.source,
            collection.database,
            query_in_words(collection.query),
            collection.schedule or "on request",
            _due(collection),
            f"{collection.last_import_id} ({collection.last_status})" if collection.last_import_id else "",
        )
        for collection in listed_collections
    ]
    print_table(("id", "source", "database", "query", "schedule", "next (UTC)", "last import"), rows)


@collections.command()
def pause(collection_id: CollectionId, *, as_json: AsJson = False) -> None:
    """Pause a collection: it is not due until it is resumed; an import of it that is running continues."""
    _change(collection_id, CollectionUpdate(paused=True), as_json=as_json)


@collections.command()
def resume(collection_id: CollectionId, *, as_json: AsJson = False) -> None:
    """Resume a paused collection: it is due again on its schedule."""
    _change(collection_id, CollectionUpdate(paused=False), as_json=as_json)


@collections.command()
def remove(collection_id: CollectionId, *, as_json: AsJson = False) -> None:
    """Remove a collection; its imports and listings stay."""
    use_cases.remove_collection(open_context("collections").units, collection_id)
    if as_json:
        print_json({"removed": collection_id})
    else:
        print_line(f"collection {collection_id} is removed")


@collections.command()
def run(collection_id: CollectionId, *, as_json: AsJson = False) -> None:
    """Have a worker run a collection now; its schedule does not change."""
    requested = use_cases.run_collection(open_context("collections").units, collection_id)
    if as_json:
        print_json({"import": requested.id, "begun": requested.is_new})
    else:
        state = "has started" if requested.is_new else "is already running"
        print_line(f"import {requested.id} {state}; follow it: rayon imports show {requested.id}")


def query_in_words(query: ProductQuery) -> str:
    """The text of a query in lists."""
    limit = f", at most {query.limit}" if query.limit else ""
    return f"{query.kind} {query.value}".strip() + limit


def _change(collection_id: int, update: CollectionUpdate, *, as_json: bool) -> None:
    context = open_context("collections")
    use_cases.change_collection(context.units, collection_id, update)
    with context.engine.connect() as connection:
        collection = find_collection(connection, collection_id)
    if as_json:
        print_json(collection_as_json(collection))
    else:
        print_line(f"collection {collection_id}: {_due(collection)}")


def collection_as_json(collection: CollectionView) -> dict[str, object]:
    """A collection as commands print it with ``--json``."""
    return asdict(collection) | {"query": {"database": collection.database, **collection.query.as_json()}}


def _due(collection: CollectionView) -> str:
    if collection.paused:
        return "paused"
    return f"{collection.next_at.astimezone(UTC):{TIME_FORMAT}}" if collection.next_at else "on request"

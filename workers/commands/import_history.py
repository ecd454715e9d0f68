"""Commands on imports that were made: list, show with what they changed, withdraw what vanished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from infra.store.imports.difference_queries import DiffKind, diff_of, diff_rows
from infra.store.imports.queries import find_import, import_rows, list_imports
from infra.store.imports.vanished import withdraw_vanished
from pipeline.domain.errors import NotFound
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.verdict import Verdict
from workers.commands.options import group
from workers.commands.terminal import AsJson, open_context, say, say_json, say_table

imports = group("imports", "Imports that were made: list, show with what they changed, withdraw what vanished.")
ImportId = Annotated[int, typer.Argument(metavar="ID", help="the number that 'imports list' shows")]
SHOWN = 60
FACTS = ("id", "source", "origin", "status", "doing", "note", "total", "complete", "started_at", "ended_at")
COUNTS = ("new", "changed", "unchanged", "rejected", "without_photo", "came_back", "vanished")
# Unchanged products are no news, and many.
NEWS = tuple(kind for kind in DiffKind if kind is not DiffKind.UNCHANGED)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(imports)


@imports.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="at most so many, newest first")] = 30, as_json: AsJson = False
) -> None:
    """List imports, newest first, with their progress and counts."""
    with open_context("imports").engine.connect() as connection:
        found = list_imports(connection, None, None, limit)
    if as_json:
        say_json(found)
        return
    if not found:
        say("there are no imports; see: rayon import --help, rayon collect --help")
        return
    header = ("id", "source", "origin", "status", "done", *(name.replace("_", " ") for name in COUNTS), "started")
    say_table(
        header,
        [
            (
                one["id"],
                one["source"],
                _cut(one["origin"]),
                _cut(one["doing"] or one["status"]),
                "" if one["share"] is None else f"{int(one['share'] * 100)} %",
                *(one[name] for name in COUNTS),
                f"{one['started_at']:%Y-%m-%d %H:%M}",
            )
            for one in found
        ],
    )


@imports.command()
def show(
    import_id: ImportId,
    diff: Annotated[bool, typer.Option("--diff", help="also the products that are new, changed, back or gone")] = False,
    limit: Annotated[int, typer.Option(min=1, help="at most so many products of each kind")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show an import: how far it is, its counts, why rows were rejected, and what it changed."""
    with open_context("imports").engine.connect() as connection:
        found = find_import(connection, import_id, None)
        if found is None:
            raise NotFound(f"there is no import {import_id}; see: rayon imports list")
        told = diff_of(connection, found)
        refused = import_rows(connection, import_id, Verdict.REJECTED, 0, limit)
        products = {kind.value: diff_rows(connection, import_id, kind, 0, limit) for kind in NEWS} if diff else {}
    if as_json:
        say_json(found | {"reasons": refused, "diff": told | {"products": products}})
        return
    _tell(found, told)
    for row in refused:
        say(f"rejected row {row['number']}, {row['external_id'] or 'no code'}: {row['reason']}")
    for kind, rows in products.items():
        for row in rows:
            differs = f" ({', '.join(row['changes'])})" if row.get("changes") else ""
            say(f"{kind.replace('_', ' ')}: {row['external_id']} {row['name'] or ''}{differs}")
        if len(rows) == limit:
            say(f"{kind.replace('_', ' ')}: the first {limit}; for more: --limit")


@imports.command("withdraw-vanished")
def withdraw(
    import_id: ImportId,
    even_most: Annotated[
        bool, typer.Option("--even-most", help="even when more than half of the products are gone")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Withdraw the listings of products that vanished from their database; one that is met again comes back."""
    gone = withdraw_vanished(open_context("imports").engine, import_id, even_most)
    if as_json:
        say_json({"withdrawn": gone.withdrawn, "kept": gone.kept})
        return
    kept = f", {gone.kept} kept: met by another import, or posted since" if gone.kept else ""
    say(f"{gone.withdrawn} withdrawn{kept}")


def _tell(found: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    for name in FACTS:
        if found[name] is not None:
            say(f"{name.replace('_', ' ')}: {found[name]}")
    for name in COUNTS:
        if found[name] is not None:
            say(f"  {found[name]:>7} {name.replace('_', ' ')}")
    if told["compared_with"] is not None:
        say(f"compared with import {told['compared_with']}")
    elif found["database"] is not None:
        say(f"what vanished is not known: {told['why_not']}")
    known = DATABASES.get(found["database"] or "")
    if known is not None:
        say(known.licence.attribution)


def _cut(words: str) -> str:
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"

"""Commands on imports: list them, show one with what it changed, withdraw what vanished."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from infra.store.imports.queries import (
    DifferenceKind,
    ImportDifferences,
    ImportView,
    find_differences,
    find_import,
    list_different_products,
    list_imports,
    list_verdicts,
)
from pipeline.domain.errors import NotFound
from pipeline.domain.import_run import RowVerdict
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.reason import sentences
from pipeline.domain.verdict import Verdict
from pipeline.steps.imports import withdraw_vanished
from workers.commands.command_context import open_context
from workers.commands.options import group
from workers.commands.terminal import AsJson, print_json, print_line, print_table

imports = group("imports", "Imports: list them, show one and its changes, withdraw vanished products.")
ImportId = Annotated[int, typer.Argument(metavar="ID", help="the number that 'imports list' shows")]
SHOWN_CHARACTERS = 60
FIELDS = ("id", "source", "origin", "status", "doing", "note", "total", "complete", "started_at", "ended_at")
COUNTS = ("new", "changed", "unchanged", "rejected", "without_photo", "came_back", "vanished")
# Unchanged products are many, and not what one looks for.
SHOWN_KINDS = tuple(kind for kind in DifferenceKind if kind is not DifferenceKind.UNCHANGED)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(imports)


@imports.command("list")
def list_(
    *, limit: Annotated[int, typer.Option(min=1, help="at most this many, newest first")] = 30, as_json: AsJson = False
) -> None:
    """List imports, newest first, with their progress and counts."""
    with open_context("imports").engine.connect() as connection:
        found = list_imports(connection, None, None, limit)
    if as_json:
        print_json([one.as_json() for one in found])
        return
    if not found:
        print_line("there are no imports; see: rayon import --help, rayon collect --help")
        return
    header = ("id", "source", "origin", "status", "done", *(name.replace("_", " ") for name in COUNTS), "started")
    rows = [
        (
            one.id,
            one.source,
            _cut(one.origin),
            _cut(str(one.doing or one.status)),
            "" if one.share is None else f"{int(one.share * 100)} %",
            *(getattr(one, name) for name in COUNTS),
            f"{one.started_at:%Y-%m-%d %H:%M}",
        )
        for one in found
    ]
    print_table(header, rows)


@imports.command()
def show(
    import_id: ImportId,
    *,
    diff: Annotated[bool, typer.Option("--diff", help="also the products that are new, changed, back or gone")] = False,
    limit: Annotated[int, typer.Option(min=1, help="at most this many products of each kind")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show an import: its progress and counts, why rows were rejected, and what it changed."""
    with open_context("imports").engine.connect() as connection:
        found = find_import(connection, import_id, None)
        if found is None:
            raise NotFound(f"there is no import {import_id}; see: rayon imports list")
        differences = find_differences(connection, found)
        rejected = list_verdicts(connection, import_id, Verdict.REJECTED, 0, limit)
        kinds = SHOWN_KINDS if diff else ()
        products = {kind.value: list_different_products(connection, import_id, kind, 0, limit) for kind in kinds}
    if as_json:
        listed = {kind: [asdict(one) for one in ones] for kind, ones in products.items()}
        compared = {"import": import_id, **differences.as_json(), "products": listed}
        print_json({**found.as_json(), "reasons": [_verdict_as_json(row) for row in rejected], "diff": compared})
        return
    _print_import(found, differences)
    for row in rejected:
        print_line(f"rejected row {row.number}, {row.external_id or 'no code'}: {row.reason}")
    for kind, ones in products.items():
        for one in ones:
            changes = f" ({', '.join(one.changes)})" if one.changes else ""
            print_line(f"{kind.replace('_', ' ')}: {one.external_id} {one.name or ''}{changes}")
        if len(ones) == limit:
            print_line(f"{kind.replace('_', ' ')}: the first {limit}; for more: --limit")


def _verdict_as_json(row: RowVerdict) -> dict[str, str | int | None]:
    return {
        "number": row.number,
        "external_id": row.external_id,
        "verdict": row.verdict.value,
        "listing_id": row.listing_id,
        "reason": sentences((row.reason,)) or None,
        "note": sentences(row.notes) or None,
    }


@imports.command("withdraw-vanished")
def withdraw(
    import_id: ImportId,
    *,
    even_most: Annotated[
        bool, typer.Option("--even-most", help="even when more than half of the products are gone")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Withdraw the listings of products that vanished from their database; a product that is met again comes back."""
    done = withdraw_vanished(open_context("imports").units, import_id, even_most=even_most)
    if as_json:
        print_json(asdict(done))
        return
    kept = f", {done.kept} kept: met by another import, or posted since" if done.kept else ""
    print_line(f"{done.withdrawn} withdrawn{kept}")


def _print_import(found: ImportView, differences: ImportDifferences) -> None:
    for name in FIELDS:
        if getattr(found, name) is not None:
            print_line(f"{name.replace('_', ' ')}: {getattr(found, name)}")
    for name in COUNTS:
        if getattr(found, name) is not None:
            print_line(f"  {getattr(found, name):>7} {name.replace('_', ' ')}")
    if differences.compared_with is not None:
        print_line(f"compared with import {differences.compared_with}")
    elif found.database is not None:
        print_line(f"what vanished is not known: {differences.why_not}")
    database = DATABASES.get(found.database or "")
    if database is not None:
        print_line(database.licence.attribution)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"

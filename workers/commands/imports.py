"""Commands on imports: list them, show one with its changes, withdraw vanished products."""

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
    list_imports,
    list_products_of_kind,
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
COUNTS = ("new", "changed", "unchanged", "rejected", "variant", "without_photo", "came_back", "vanished")
# Unchanged products are many, and not what one looks for.
SHOWN_KINDS = tuple(kind for kind in DifferenceKind if kind is not DifferenceKind.UNCHANGED)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(imports)


@imports.command("list")
def list_(
    *, limit: Annotated[int, typer.Option(min=1, help="maximum number, newest first")] = 30, as_json: AsJson = False
) -> None:
    """List imports, newest first, with their progress and counts."""
    with open_context("imports").engine.connect() as connection:
        listed_imports = list_imports(connection, None, None, limit)
    if as_json:
        print_json([row.as_json() for row in listed_imports])
        return
    if not listed_imports:
        print_line("there are no imports; see: rayon import --help, rayon collect --help")
        return
    header = ("id", "source", "origin", "status", "done", *(name.replace("_", " ") for name in COUNTS), "started")
    rows = [
        (
            row.id,
            row.source,
            _cut(row.origin),
            _cut(str(row.doing or row.status)),
            "" if row.share is None else f"{int(row.share * 100)} %",
            *(getattr(row, name) for name in COUNTS),
            f"{row.started_at:%Y-%m-%d %H:%M}",
        )
        for row in listed_imports
    ]
    print_table(header, rows)


@imports.command()
def show(
    import_id: ImportId,
    *,
    diff: Annotated[
        bool, typer.Option("--diff", help="also list the products that are new, changed, back or gone")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="maximum number of products of each kind")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show an import: its progress and counts, the reasons for rejected rows, and its changes."""
    with open_context("imports").engine.connect() as connection:
        import_record = find_import(connection, import_id, None)
        if import_record is None:
            raise NotFound(f"there is no import {import_id}; see: rayon imports list")
        differences = find_differences(connection, import_record)
        rejected = list_verdicts(connection, import_id, Verdict.REJECTED, 0, limit)
        kinds = SHOWN_KINDS if diff else ()
        products_by_kind = {kind.value: list_products_of_kind(connection, import_id, kind, 0, limit) for kind in kinds}
    if as_json:
        json_by_kind = {kind: [asdict(product) for product in products] for kind, products in products_by_kind.items()}
        differences_fields = {"import": import_id, **differences.as_json(), "products": json_by_kind}
        print_json(
            {
                **import_record.as_json(),
                "reasons": [_verdict_as_json(row) for row in rejected],
                "diff": differences_fields,
            }
        )
        return
    _print_import(import_record, differences)
    for row in rejected:
        print_line(f"rejected row {row.number}, {row.external_id or 'no code'}: {row.reason}")
    for kind, products in products_by_kind.items():
        for product in products:
            changes = f" ({', '.join(product.changes)})" if product.changes else ""
            print_line(f"{kind.replace('_', ' ')}: {product.external_id} {product.name or ''}{changes}")
        if len(products) == limit:
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
        bool, typer.Option("--even-most", help="even if more than half of the products are gone")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Withdraw the listings of products that vanished from their database; a product that reappears comes back."""
    result = withdraw_vanished(open_context("imports").units, import_id, even_most=even_most)
    if as_json:
        print_json(asdict(result))
        return
    kept_text = f", {result.kept} kept: met by another import, or posted since" if result.kept else ""
    print_line(f"{result.withdrawn} withdrawn{kept_text}")


def _print_import(import_record: ImportView, differences: ImportDifferences) -> None:
    for name in FIELDS:
        if getattr(import_record, name) is not None:
            print_line(f"{name.replace('_', ' ')}: {getattr(import_record, name)}")
    for name in COUNTS:
        if getattr(import_record, name) is not None:
            print_line(f"  {getattr(import_record, name):>7} {name.replace('_', ' ')}")
    if differences.compared_with is not None:
        print_line(f"compared with import {differences.compared_with}")
    elif import_record.database is not None:
        print_line(f"what vanished is not known: {differences.why_not}")
    database = DATABASES.get(import_record.database or "")
    if database is not None:
        print_line(database.licence.attribution)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"

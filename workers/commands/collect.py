"""The command that collects products from an external product database: ``rayon collect``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.schedules import schedule_line
from infra.sources.factory import open_source
from infra.store.collections import find_collection
from infra.store.imports.bulk_import import encode_rows
from infra.store.imports.queries import find_import, list_verdicts
from infra.store.imports.repository import import_locks
from infra.store.models import active_model_id
from infra.store.sources import find_source
from pipeline.domain.collection import ProductRequest
from pipeline.domain.errors import InvalidInput
from pipeline.domain.import_run import ImportRequest, ImportRun
from pipeline.domain.product_databases import licence_of
from pipeline.domain.product_source import PUBLISHED, ProductQuery, QueryKind, SourceProduct, named_query
from pipeline.domain.progress import Progress
from pipeline.domain.reason import sentences
from pipeline.domain.source import Source
from pipeline.domain.verdict import PRODUCT_VERDICTS, Verdict
from pipeline.ports.services import ProductSource
from pipeline.steps.collect import CollectContext, collect
from pipeline.steps.collections import add_collection
from pipeline.steps.imports import running_import
from pipeline.steps.source_registration import source_of_products
from workers.bootstrap import WorkerContext
from workers.commands.collections import collection_as_json
from workers.commands.command_context import open_context
from workers.commands.import_results import (
    database_needed,
    print_how_to_continue,
    verdict_file,
    wait_for_decisions,
    write_verdicts,
)
from workers.commands.terminal import TIME_FORMAT, AsJson, print_json, print_line, print_note, print_table, progress_bar
from workers.garbage_collection import expect_many_objects

MAX_PERMIT_WAIT = 600.0  # seconds that one page may wait for a permit: the user is watching, and can interrupt
SHOWN_PRODUCTS = 10


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("collect")(collect_)


def collect_(
    database: Annotated[str, typer.Argument(help="the product database, such as openfoodfacts")],
    *,
    category: Annotated[str, typer.Option(help="a category, such as champagnes or en:champagnes")] = "",
    words: Annotated[str, typer.Option("--text", help="a full-text search")] = "",
    barcodes: Annotated[str, typer.Option(help="comma-separated barcodes")] = "",
    export: Annotated[str, typer.Option(help="a whole export: 'published', or its path or http(s) address")] = "",
    changes: Annotated[bool, typer.Option("--changes", help="products that changed since the last time")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="maximum number of products; by default all")] = None,
    source: Annotated[str, typer.Option(help="the source of these listings; by default the database's name")] = "",
    taxonomy: Annotated[
        str, typer.Option(help="the taxonomy of a new source; by default the only one with an active model")
    ] = "",
    every: Annotated[
        str,
        typer.Option(help="add a collection that runs on this schedule: a cron line (UTC), or an interval in seconds"),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the first products and store nothing")] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="start again from the first page, even after an interruption")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="wait until every listing is decided")] = True,
    verdicts: Annotated[Path | None, typer.Option(help="the file for the verdicts on all rows")] = None,
    as_json: AsJson = False,
) -> None:
    """Import products from an external product database, with a verdict on each; repeating it changes nothing.

    All processes share the rate limits of the database. After an interruption the same command continues at the page
    where it stopped. With --every nothing is collected now: workers collect, from the next time of the schedule.
    """
    query = query_of(category, words, barcodes, export, limit, changes=changes)
    request = ProductRequest(database, query, source, taxonomy)
    licence = licence_of(database)
    context = open_context("collect")
    expect_many_objects()
    if every:
        if dry_run or verdicts:
            raise InvalidInput("--every is for later: leave out --dry-run and --verdicts")
        _add_collection(context, request, every, as_json=as_json)
        return
    target = verdict_file(verdicts) if verdicts and not dry_run else None
    with database_needed(), progress_bar() as progress:
        products = open_source(
            database, context.settings, patience=MAX_PERMIT_WAIT, progress=None if as_json else print_note
        )
        if dry_run:
            first_page = products.page(query, None).products
        else:
            target_source = source_of_products(context.units, database, source, taxonomy)
            _note_missing_model(context, target_source)
            run = _collect(context, products, query, target_source, progress, afresh=afresh)
    if dry_run:
        _show_first_page(first_page, as_json=as_json)
        return
    result = _result(context, target_source, run)
    if target is not None:
        write_verdicts(context, run.id, target)
        result["verdicts"] = str(target)
    result["licence"] = asdict(licence)
    if not as_json:
        _print_result(result)
    n_waiting = 0
    if wait:
        result["outcome"] = wait_for_decisions(context, run.id, run.accepted, silent=as_json)
        n_waiting = result["outcome"]["waiting"]
    if as_json:
        print_json(result)
    else:
        print_line(licence.attribution)
    if n_waiting:
        raise typer.Exit(1)


def query_of(
    category: str, words: str, barcodes: str, export: str, limit: int | None, *, changes: bool
) -> ProductQuery:
    """The query that the options name; InvalidInput when there is none, or more than one."""
    if export and export != PUBLISHED and "://" not in export:
        export = str(Path(export).expanduser().absolute())  # the process that reads it may be in another folder
    values = {
        QueryKind.CATEGORY: category,
        QueryKind.TEXT: words,
        QueryKind.BARCODES: barcodes,
        QueryKind.EXPORT: export,
        QueryKind.CHANGES: "all" if changes else "",
    }
    return named_query(values, limit, prefix="--")


def _add_collection(context: WorkerContext, request: ProductRequest, every: str, *, as_json: bool) -> None:
    added = add_collection(context.units, request, schedule_line(every))
    with context.engine.connect() as connection:
        collection = find_collection(connection, added.id)
        target_source = find_source(connection, collection.source)
    assert target_source is not None  # the collection is of it
    _note_missing_model(context, target_source)
    if as_json:
        print_json(collection_as_json(collection))
    else:
        next_time = collection.next_at
        next_run_text = f"next at {next_time.astimezone(UTC):{TIME_FORMAT}} UTC" if next_time else "once it is resumed"
        print_line(
            f"collection {collection.id} of source '{target_source.name}' runs by '{collection.schedule}', "
            f"{next_run_text}"
        )
        print_line(f"to run it now: rayon collections run {collection.id}")


def _collect(
    context: WorkerContext,
    products: ProductSource,
    query: ProductQuery,
    target_source: Source,
    progress: Progress,
    *,
    afresh: bool,
) -> ImportRun:
    def show_progress(run: ImportRun) -> None:
        progress(run.share if run.share is not None else run.row / max(run.total or run.row, 1), f"{run.row} products")

    request = ImportRequest.of_query(target_source.id, products.name, query)
    locks = import_locks(context.engine)
    with running_import(context.units, locks, request, afresh=afresh) as run, print_how_to_continue():
        if run.row:
            print_note(f"continuing import {run.id} after product {run.row} (--afresh starts it from the first page)")
        return collect(
            CollectContext(context.units, products, encode_rows, show_progress), query, target_source.id, run
        )


def _result(context: WorkerContext, target_source: Source, run: ImportRun) -> dict[str, Any]:
    with context.engine.connect() as connection:
        rejected = list_verdicts(connection, run.id, Verdict.REJECTED, 0, SHOWN_PRODUCTS)
        import_record = find_import(connection, run.id, None)
    return {
        "import": run.id,
        "source": target_source.name,
        "taxonomy": target_source.taxonomy,
        "rows": run.row,
        **{verdict.value: run.verdicts[verdict] for verdict in PRODUCT_VERDICTS},
        "without_photo": run.without_photo,
        "complete": run.complete,
        "came_back": import_record and import_record.came_back,
        "vanished": import_record and import_record.vanished,
        "reasons": [f"{row.external_id or 'no code'}: {row.reason}" for row in rejected],
    }


def _note_missing_model(context: WorkerContext, target_source: Source) -> None:
    """Print a note if the taxonomy has no model: its name may be misspelt."""
    with context.engine.connect() as connection:
        model_id = active_model_id(connection, target_source.taxonomy_id)
    if model_id is None:
        print_note(
            f"note: the taxonomy '{target_source.taxonomy}' has no model yet; nothing of source '{target_source.name}' "
            "is decided before one is trained (rayon train)"
        )


def _show_first_page(products: Sequence[SourceProduct], *, as_json: bool) -> None:
    rows = [_product_as_json(product) for product in products]
    if as_json:
        print_json(rows)
        return
    header = ("code", "name", "categories", "ingredients and description", "photo", "verdict")
    print_table(header, [[str(value or "")[:60] for value in row.values()] for row in rows[:SHOWN_PRODUCTS]])
    print_line(
        f"{len(rows)} products on the first page, the first {min(len(rows), SHOWN_PRODUCTS)} shown; nothing was stored"
    )


def _product_as_json(product: SourceProduct) -> dict[str, str | None]:
    content, provenance = product.content, product.provenance
    return {
        "code": product.code,
        "name": content.name if content else None,
        "categories": ", ".join(provenance.categories) if provenance else None,
        "description": content.description if content else None,
        "photo": content.images[0] if content and content.images else None,
        "verdict": sentences([product.problem] if product.problem else product.notes) or "usable",
    }


def _print_result(result: dict[str, Any]) -> None:
    if not result["rows"]:
        print_line("the database has no such products")
    print_line(f"collected {result['rows']} products as source '{result['source']}' (taxonomy '{result['taxonomy']}'):")
    for verdict in PRODUCT_VERDICTS:
        print_line(f"  {result[verdict.value]:>7} {verdict.value}")
    print_line(f"  {result['without_photo']:>7} without photo")
    if result["vanished"]:
        print_line(
            f"  {result['vanished']:>7} vanished since the last time: rayon imports show {result['import']} --diff"
        )
    for reason in result["reasons"]:
        print_line(f"  rejected {reason}")
    if "verdicts" in result:
        print_line(f"verdict on every row: {result['verdicts']}")

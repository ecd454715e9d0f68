"""The command that brings in products from an external product database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.schedules import schedule_line
from infra.sources.factory import open_source
from infra.store.collections.queries import find_collection
from infra.store.imports.opening import open_collecting
from infra.store.imports.queries import find_import, import_rows
from infra.store.imports.repository import end_import, outcome, undecided
from infra.store.imports.staging import encode_rows
from infra.store.models.queries import active_model_id
from infra.store.taxonomies.queries import find_source
from pipeline.domain.collection import ProductRequest
from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.import_run import ImportRun, ImportStatus
from pipeline.domain.product_databases import licence_of
from pipeline.domain.product_source import PUBLISHED, ProductQuery, SourceProduct, named_query
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.services import ProductSource
from pipeline.steps.collect import collect
from pipeline.steps.collections import add_collection
from pipeline.steps.sources import source_of_products
from workers.bootstrap import WorkerContext
from workers.commands.collections import collection_as_json
from workers.commands.import_pages import write_verdicts
from workers.commands.imports import DATABASE_IS_AWAY, GO_ON, PLAIN, writable
from workers.commands.job_waiting import wait_until_decided
from workers.commands.terminal import (
    TIME_FORMAT,
    AsJson,
    Report,
    open_context,
    progress_bar,
    remark,
    say,
    say_json,
    say_table,
)
from workers.garbage_collection import expect_many_objects

PATIENCE = 600.0  # seconds that one page may wait for its turn: somebody watches, and can interrupt
SHOWN = 10


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("collect")(collect_)


def collect_(
    database: Annotated[str, typer.Argument(help="the product database, such as openfoodfacts")],
    category: Annotated[str, typer.Option(help="a category, such as champagnes or en:champagnes")] = "",
    words: Annotated[str, typer.Option("--text", help="words to search for")] = "",
    barcodes: Annotated[str, typer.Option(help="barcodes, with commas between them")] = "",
    export: Annotated[
        str, typer.Option(help="the whole file: 'published', or the path or http(s) address of an export")
    ] = "",
    changes: Annotated[bool, typer.Option("--changes", help="what changed since the last time")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="at most so many products; else all there are")] = None,
    source: Annotated[str, typer.Option(help="whose listings they become; by default the database's name")] = "",
    taxonomy: Annotated[
        str, typer.Option(help="the taxonomy of a new source; by default the only one with an active model")
    ] = "",
    every: Annotated[
        str, typer.Option(help="keep it as a collection that runs by a cron line (UTC), or every so many seconds")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the first products, store nothing")] = False,
    afresh: Annotated[bool, typer.Option("--afresh", help="from the first page, even after an interruption")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="wait until every listing is decided")] = True,
    verdicts: Annotated[Path | None, typer.Option(help="where to write the verdict of every row")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring in products from an external product database, with a verdict for every one; again, and nothing changes.

    Its limits are kept together with every other process of this house. After an interruption the same command goes on
    at the page where it stopped. With --every nothing is collected now: workers do it from its next time on.
    """
    query = query_of(category, words, barcodes, export, changes, limit)
    licence = licence_of(database)
    context = open_context("collect")
    expect_many_objects()
    if every:
        if dry_run or verdicts:
            raise InvalidInput("--every is for later: leave out --dry-run and --verdicts")
        _keep(context, database, query, source, taxonomy, every, as_json)
        return
    target = writable(verdicts) if verdicts and not dry_run else None
    with progress_bar() as report:
        asked = open_source(database, context.settings, patience=PATIENCE, progress=None if as_json else remark)
        if dry_run:
            products = asked.page(query, None).products
        else:
            result, run = _collected(context, asked, query, source, taxonomy, afresh, report)
    if dry_run:
        _show(products, as_json)
        return
    if target is not None:
        write_verdicts(context, run.id, target)
        result["verdicts"] = str(target)
    result["licence"] = {"name": licence.name, "url": licence.url, "attribution": licence.attribution}
    if not as_json:
        _tell(result)
    left = _wait(context, result, run, as_json) if wait else 0
    if as_json:
        say_json(result)
    else:
        say(licence.attribution)
    if left:
        raise typer.Exit(1)


def query_of(category: str, words: str, barcodes: str, export: str, changes: bool, limit: int | None) -> ProductQuery:
    """The one query that was named; InvalidInput when there is none, or more than one."""
    if export and export != PUBLISHED and "://" not in export:
        export = str(Path(export).expanduser().absolute())  # whoever reads it may be in another folder
    return named_query(
        category=category, text=words, barcodes=barcodes, export=export, changes=changes, limit=limit, mark="--"
    )


def _keep(
    context: WorkerContext, database: str, query: ProductQuery, source: str, taxonomy: str, every: str, as_json: bool
) -> None:
    kept = add_collection(context.units, ProductRequest(database, query, source, taxonomy), schedule_line(every))
    with context.engine.connect() as connection:
        found = find_collection(connection, kept.id)
        into = find_source(connection, found.source)
    assert into is not None  # the collection is of it
    _tell_taxonomy(context, into)
    if as_json:
        say_json(collection_as_json(found))
    else:
        due = found.next_at
        when = f"next at {due.astimezone(UTC):{TIME_FORMAT}} UTC" if due else "once it is resumed"
        say(f"collection {found.id} of source '{into.name}' runs by '{found.schedule}', {when}")
        say(f"to run it now: rayon collections run {found.id}")


def _collected(
    context: WorkerContext,
    asked: ProductSource,
    query: ProductQuery,
    name: str,
    taxonomy: str,
    afresh: bool,
    report: Report,
) -> tuple[dict[str, Any], ImportRun]:
    try:
        into = source_of_products(context.units, asked.name, name, taxonomy)
        _tell_taxonomy(context, into)
        with open_collecting(context.engine, into.id, asked.name, query, afresh) as run:
            ended = _run(context, asked, query, into.id, run, report)
        with context.engine.connect() as connection:
            rejected = import_rows(connection, ended.id, Verdict.REJECTED, 0, SHOWN)
            found = find_import(connection, ended.id, None) or {}
    except DATABASE_IS_AWAY as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise Unavailable(f"the database does not answer ({reason}); start the same command again") from error
    result: dict[str, Any] = {"import": ended.id, "source": into.name, "taxonomy": into.taxonomy, "rows": ended.row}
    result |= {verdict.value: ended.verdicts[verdict] for verdict in Verdict}
    result |= {"without_photo": ended.without_photo, "complete": ended.complete}
    result |= {name: found.get(name) for name in ("came_back", "vanished")}
    result["reasons"] = [f"{row['external_id'] or 'no code'}: {row['reason']}" for row in rejected]
    return result, ended


def _run(
    context: WorkerContext, asked: ProductSource, query: ProductQuery, source_id: int, run: ImportRun, report: Report
) -> ImportRun:
    if run.row:
        remark(f"going on with import {run.id} after product {run.row} (--afresh starts it again)")

    def told(now: ImportRun) -> None:
        report(now.share if now.share is not None else now.row / max(now.total or now.row, 1), f"{now.row} products")

    try:
        ended = collect(context.units, asked, query, source_id, run, told, encode_rows)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        with suppress(*DATABASE_IS_AWAY):  # a database that is away leaves it running, which goes on as well
            _close(context, run.id, ImportStatus.FAILED, "interrupted" if interrupted else str(error))
        remark(f"stopped; {GO_ON}")
        if interrupted:
            raise typer.Exit(130) from None
        raise
    _close(context, run.id, ImportStatus.DONE, None)
    return ended


def _close(context: WorkerContext, import_id: int, status: ImportStatus, note: str | None) -> None:
    with context.engine.begin() as connection:
        end_import(connection, import_id, status, note)


def _tell_taxonomy(context: WorkerContext, into: Source) -> None:
    """A taxonomy without a model may be one that was spelt in another way."""
    with context.engine.connect() as connection:
        model = active_model_id(connection, into.taxonomy_id)
    if model is None:
        remark(
            f"note: the taxonomy '{into.taxonomy}' has no model yet; nothing of source '{into.name}' is decided before "
            "one is trained (rayon train)"
        )


def _show(products: Sequence[SourceProduct], as_json: bool) -> None:
    rows = [_shown(product) for product in products]
    if as_json:
        say_json(rows)
        return
    header = ("code", "name", "categories", "ingredients and description", "photo", "verdict")
    cut = [[str(value or "")[:60] for value in row.values()] for row in rows[:SHOWN]]
    say_table(header, cut)
    say(f"{len(rows)} products on the first page, the first {min(len(rows), SHOWN)} shown; nothing was stored")


def _shown(product: SourceProduct) -> dict[str, Any]:
    content, came = product.content, product.provenance
    return {
        "code": product.code,
        "name": content.name if content else None,
        "categories": ", ".join(came.categories) if came else None,
        "description": content.description if content else None,
        "photo": content.images[0] if content and content.images else None,
        "verdict": product.problem or "; ".join(product.notes) or "usable",
    }


def _tell(result: dict[str, Any]) -> None:
    if not result["rows"]:
        say("the database has no product of that kind")
    say(f"collected {result['rows']} products as source '{result['source']}' (taxonomy '{result['taxonomy']}'):")
    for verdict in Verdict:
        say(f"  {result[verdict.value]:>7} {verdict.value}")
    say(f"  {result['without_photo']:>7} without photo")
    if result["vanished"]:
        say(f"  {result['vanished']:>7} vanished since the last time: rayon imports show {result['import']} --diff")
    for reason in result["reasons"]:
        say(f"  rejected {reason}")
    if "verdicts" in result:
        say(f"verdict of every row: {result['verdicts']}")


def _wait(context: WorkerContext, result: dict[str, Any], run: ImportRun, as_json: bool) -> int:
    left = wait_until_decided(context, partial(undecided, import_id=run.id), run.accepted)
    with context.engine.connect() as connection:
        found = outcome(connection, run.id)
    result["outcome"] = {status: found.get(status, 0) for status in PLAIN} | {"waiting": left}
    if not as_json:
        told = [f"{found.get(status, 0)} {plain}" for status, plain in PLAIN.items()]
        say("decided: " + ", ".join(told) + (f"; {left} still wait, and no worker is alive" if left else ""))
    return left

"""The command that brings in a catalogue file."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import InterfaceError, OperationalError

from infra.catalogue_files.catalogue import Catalogue, fingerprint_of, open_catalogue
from infra.catalogue_files.columns import ROLES
from infra.store.imports.opening import open_import
from infra.store.imports.repository import end_import, outcome, undecided
from infra.store.taxonomies.queries import find_source
from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.import_run import ImportRun, ImportStatus
from pipeline.domain.source import NAME_LIMIT
from pipeline.domain.verdict import Verdict
from pipeline.steps.sources import find_or_add_source
from workers.bootstrap import WorkerContext
from workers.commands.dry_run import compare
from workers.commands.import_pages import Tally, take_in, write_verdicts
from workers.commands.job_waiting import wait_until_decided
from workers.commands.options import ColumnsOption, chosen_columns
from workers.commands.row_photos import PhotoImport
from workers.commands.terminal import AsJson, Report, open_context, progress_bar, remark, say, say_json

# File names that say nothing of where the listings come from; their folder's name does.
GENERIC = frozenset(
    {"listings", "listing", "products", "product", "catalogue", "catalog", "data", "items", "export", "train", "test"}
)
GO_ON = "what is taken in stays, and the same command goes on from there"
DATABASE_IS_AWAY = (OperationalError, InterfaceError)
PLAIN = {"assigned": "assigned", "needs_review": "need review", "abstained": "abstained", "dead": "dead letters"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, NDJSON, JSON or Parquet; columns and encoding are found out")],
    images: Annotated[Path | None, typer.Option(help="the folder of the photos that rows name")] = None,
    columns: ColumnsOption = None,
    source: Annotated[str, typer.Option(help="where the listings come from; by default the file's name")] = "",
    taxonomy: Annotated[str, typer.Option(help="the taxonomy of a new source; by default the source's name")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="judge every row, change nothing")] = False,
    afresh: Annotated[bool, typer.Option("--afresh", help="from the first row, even after an interruption")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait until every listing is decided")] = False,
    verdicts: Annotated[Path | None, typer.Option(help="where to write the verdict of every row")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring in a catalogue file, with a verdict for every row; the same file again changes nothing.

    After an interruption the same command goes on at the row where it stopped.
    """
    chosen = chosen_columns(columns)
    catalogue = open_catalogue(file, columns=chosen)
    context = open_context("import")
    photos = PhotoImport(context, images, dry_run)
    name = source or source_of(file)
    target = writable(verdicts or context.settings.home / "verdicts" / f"{file.stem}.verdicts.csv")
    for warning in catalogue.warnings:
        remark(f"note: {warning}")
    result: dict[str, Any] = {"import": None, "source": name, "taxonomy": taxonomy or name}
    try:
        if dry_run:
            with context.engine.connect() as connection:
                known = find_source(connection, name)
            with progress_bar() as report:
                tally = compare(context, name, catalogue, photos, target, report)
        else:
            known = find_or_add_source(context.units, name, taxonomy or None)
            fingerprint = fingerprint_of(file, chosen, images)
            with (
                open_import(context.engine, known.id, file.name, catalogue.count_hint, fingerprint, afresh) as run,
                progress_bar() as report,
            ):
                result["import"] = run.id
                tally = _take_in(context, known.id, run, catalogue, photos, target, report)
    except DATABASE_IS_AWAY as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise Unavailable(f"the database does not answer ({reason}); start the same command again") from error
    if known is not None:
        result["taxonomy"] = known.taxonomy
    result |= {"rows": tally.rows, **{verdict.value: tally.verdicts[verdict] for verdict in Verdict}}
    result |= {"without_photo": tally.without_photo, "verdicts": str(target), **_columns(catalogue)}
    result |= {"why_rejected": tally.why_rejected, "why_without_photo": tally.why_without_photo}
    if not as_json:
        _tell(result, dry_run)
    left = _wait(context, result, as_json) if wait and not dry_run else 0
    if as_json:
        say_json(result)
    if left:
        raise typer.Exit(1)


def _take_in(
    context: WorkerContext,
    source_id: int,
    run: ImportRun,
    catalogue: Catalogue,
    photos: PhotoImport,
    target: Path,
    report: Report,
) -> Tally:
    if run.row:
        remark(f"going on with import {run.id} after row {run.row} (--afresh starts it again from the first row)")
    try:
        tally = take_in(context, source_id, run, catalogue, photos, report)
        write_verdicts(context, run.id, target)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        with suppress(*DATABASE_IS_AWAY):  # a database that is away leaves it running, which goes on as well
            note = "interrupted" if interrupted else str(error) or type(error).__name__
            _close(context, run.id, ImportStatus.FAILED, note)
        remark(f"stopped; {GO_ON}")
        if interrupted:
            raise typer.Exit(130) from None
        raise
    _close(context, run.id, ImportStatus.DONE, None)
    return tally


def _wait(context: WorkerContext, result: dict[str, Any], as_json: bool) -> int:
    import_id = result["import"]
    accepted = result["rows"] - result[Verdict.REJECTED.value]
    left = wait_until_decided(context, partial(undecided, import_id=import_id), accepted)
    with context.engine.connect() as connection:
        found = outcome(connection, import_id)
    result["outcome"] = {status: found.get(status, 0) for status in PLAIN} | {"waiting": left}
    if not as_json:
        told = [f"{found.get(status, 0)} {plain}" for status, plain in PLAIN.items()]
        say("decided: " + ", ".join(told) + (f"; {left} still wait, and no worker is alive" if left else ""))
    return left


def source_of(file: Path) -> str:
    """The file's name without its suffixes, or its folder's where that says nothing."""
    stem = file.name.split(".")[0] or file.stem
    folder = file.resolve().parent.name
    return (folder if stem.lower() in GENERIC and folder else stem)[:NAME_LIMIT]


def _tell(result: dict[str, Any], dry_run: bool) -> None:
    say(("would import" if dry_run else "imported") + f" {result['rows']} rows as source '{result['source']}':")
    for counted in (*(verdict.value for verdict in Verdict), "without_photo"):
        say(f"  {result[counted]:>7} {counted.replace('_', ' ')}")
        for reason in result.get(f"why_{counted}", ()):
            say(f"            {reason}")
    read = [f"{role}={column}" for role, column in result["columns"].items()]
    left = f"; not read: {', '.join(result['not_read'])}" if result["not_read"] else ""
    say(f"columns: {', '.join(read)}{left}")
    say(f"verdict of every row: {result['verdicts']}")


def _columns(catalogue: Catalogue) -> dict[str, Any]:
    """What was read as what, in the words of ``--columns``, and the columns that were not read."""
    roles = {field: role for role, field in ROLES.items()}
    read = {roles[field]: column for field, column in catalogue.columns.items()}
    if catalogue.attribute_columns:
        read["attributes"] = ",".join(filter(None, (read.get("attributes"), *catalogue.attribute_columns)))
    return {"columns": read, "not_read": list(catalogue.left_out)}


def writable(target: Path) -> Path:
    """The file, when verdicts can be written to it; else InvalidInput."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"the verdicts cannot be written to {target.parent}: {error.strerror}") from error
    if target.is_dir() or not os.access(target.parent, os.W_OK):
        raise InvalidInput(f"the verdicts cannot be written to {target}; name another file with --verdicts")
    return target


def _close(context: WorkerContext, import_id: int, status: ImportStatus, note: str | None) -> None:
    with context.engine.begin() as connection:
        end_import(connection, import_id, status, note)

"""The command that brings in a catalogue file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.catalogues.catalogue import open_catalogue
from infra.store.catalogue import NAME_LIMIT, ensure_source, find_source
from infra.store.imports import begin_import, end_import, outcome, undecided
from infra.store.models.arrivals import RunStatus
from pipeline.domain.listing import Verdict
from workers.bootstrap import House
from workers.commands.importing import Importer, Tally
from workers.commands.photos import PhotoImport
from workers.commands.terminal import bar, open_house, remark, say, say_json
from workers.commands.waiting import wait_until_decided

# File names that say nothing of where the listings come from; their folder's name does.
GENERIC = frozenset(
    {"listings", "listing", "products", "product", "catalogue", "catalog", "data", "items", "export", "train", "test"}
)
PLAIN = {"assigned": "assigned", "needs_review": "need review", "abstained": "abstained", "dead": "dead letters"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, NDJSON or JSON; columns and encoding are found out")],
    images: Annotated[Path | None, typer.Option(help="the folder of the photos that rows name")] = None,
    source: Annotated[str, typer.Option(help="where the listings come from; by default the file's name")] = "",
    taxonomy: Annotated[str, typer.Option(help="the taxonomy of a new source; by default the source's name")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="judge every row, change nothing")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait until every listing is decided")] = False,
    verdicts: Annotated[Path | None, typer.Option(help="where to write the verdict of every row")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON only")] = False,
) -> None:
    """Bring in a catalogue file, with a verdict for every row; the same file again changes nothing."""
    catalogue = open_catalogue(file)
    house = open_house("import")
    photos = PhotoImport(house, images, dry_run)
    name, known, import_id = source or source_of(file), None, None
    if dry_run:
        with house.engine.connect() as connection:
            known = find_source(connection, name)
    else:
        with house.engine.begin() as connection:
            known = ensure_source(connection, name, taxonomy or None)
            import_id = begin_import(connection, known.id, file.name, catalogue.count_hint)
    for warning in catalogue.warnings:
        remark(f"note: {warning}")
    target = verdicts or house.settings.home / "verdicts" / f"{file.stem}.verdicts.csv"
    tally = Tally()
    importer = Importer(house, name, known.id if known else None, import_id, photos)
    try:
        with bar() as report:
            importer.run(catalogue, target, tally, report)
    except BaseException as error:
        _close(house, import_id, RunStatus.FAILED, str(error) or type(error).__name__)
        if not dry_run:
            remark(
                f"stopped after {tally.rows} rows: these are taken in; run the same command again to go on "
                "(unchanged rows cost nothing)"
            )
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None
        raise
    _close(house, import_id, RunStatus.DONE, None)
    result: dict[str, Any] = {
        "import": import_id,
        "source": name,
        "taxonomy": known.taxonomy if known else taxonomy or name,
        "rows": tally.rows,
        **{verdict.value: tally.verdicts[verdict] for verdict in Verdict},
        "without_photo": tally.without_photo,
        "verdicts": str(target),
    }
    if not as_json:
        _tell(result, dry_run)
    left = 0
    if wait and import_id is not None:
        accepted = tally.rows - tally.verdicts[Verdict.REJECTED]
        left = wait_until_decided(house, partial(undecided, import_id=import_id), accepted)
        with house.engine.connect() as connection:
            found = outcome(connection, import_id)
        result["outcome"] = {status: found.get(status, 0) for status in PLAIN} | {"waiting": left}
        if not as_json:
            told = [f"{found.get(status, 0)} {plain}" for status, plain in PLAIN.items()]
            say("decided: " + ", ".join(told) + (f"; {left} still wait, and no worker is alive" if left else ""))
    if as_json:
        say_json(result)
    if left:
        raise typer.Exit(1)


def source_of(file: Path) -> str:
    """The file's name without its suffixes, or its folder's where that says nothing."""
    stem = file.name.split(".")[0] or file.stem
    folder = file.resolve().parent.name
    return (folder if stem.lower() in GENERIC and folder else stem)[:NAME_LIMIT]


def _tell(result: dict[str, Any], dry_run: bool) -> None:
    say(("would import" if dry_run else "imported") + f" {result['rows']} rows as source '{result['source']}':")
    for verdict in Verdict:
        say(f"  {result[verdict.value]:>7} {verdict.value}")
    say(f"  {result['without_photo']:>7} without photo")
    say(f"verdict of every row: {result['verdicts']}")


def _close(house: House, import_id: int | None, status: RunStatus, note: str | None) -> None:
    if import_id is not None:
        with house.engine.begin() as connection:
            end_import(connection, import_id, status, note)

"""Commands on taxonomies: import the names of their categories from a file, list and show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.catalogue_files.catalogue import catalogue_name
from infra.store.taxonomies.queries import find_categories, find_taxonomy, find_taxonomy_view, list_taxonomies
from infra.taxonomy_files.taxonomy_file import read_taxonomy
from pipeline.domain.category import SEPARATOR
from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason import reason_of
from pipeline.domain.taxonomy import TaxonomyChanges
from pipeline.steps.retire_categories import restore_category, retire_category
from pipeline.steps.taxonomies import ImportedTaxonomy, import_taxonomy
from workers.commands.command_context import open_context
from workers.commands.options import group
from workers.commands.terminal import AsJson, print_json, print_line, print_note, print_table

taxonomies = group("taxonomies", "Taxonomies: import the names of categories from a file, list, show.")
CHANGED_BY = "the command line"
SHOWN_CHANGES = 10


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(taxonomies)


@taxonomies.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV, TSV or XLSX of paths or levels, JSON, or the text of Google's or Shopify's taxonomy",
        ),
    ],
    *,
    taxonomy: Annotated[str, typer.Option(help="its name; by default the name of the file")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would change, and change nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Add the categories of a file to a taxonomy, with their descriptions, synonyms and names in other languages.

    Listings of a taxonomy without a model are ranked by these names. A newer file adds what is new and renames the
    categories whose id is known; nothing is removed.
    """
    try:
        listed = read_taxonomy(file)
    except InvalidInput as error:
        message = str(reason_of(error))
        raise InvalidInput(message if str(file) in message else f"{file}: {message}") from error
    name = taxonomy or catalogue_name(file)
    result = import_taxonomy(open_context("taxonomies").units, name, listed, CHANGED_BY, dry_run=dry_run)
    if as_json:
        print_json(_report(result, dry_run=dry_run))
        return
    changes = result.changes
    for note in changes.notes:
        print_note(str(note))
    if dry_run:
        _print_changes(changes)
    print_line(_summary(result, dry_run=dry_run))


@taxonomies.command("retire")
def retire(
    taxonomy: Annotated[str, typer.Argument(help="the taxonomy, as 'rayon taxonomies list' shows it")],
    category: Annotated[str, typer.Argument(help="the path of the category, such as 'Home > Curtains'")],
    *,
    restore: Annotated[bool, typer.Option("--restore", help="undo it")] = False,
    as_json: AsJson = False,
) -> None:
    """Retire a category and those below it: models no longer answer, suggest or learn them, lists leave them out."""
    context = open_context("taxonomies")
    with context.engine.connect() as connection:
        found = find_taxonomy(connection, taxonomy)
    change = restore_category if restore else retire_category
    count = change(context.units, found.id, category)
    if as_json:
        print_json({"taxonomy": found.name, "category": category, "restored" if restore else "retired": count})
    else:
        print_line(f"{count} categories are {'restored' if restore else 'retired'}")


@taxonomies.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the taxonomies with the number of their categories, their sources and active model versions."""
    with open_context("taxonomies").engine.connect() as connection:
        views = list_taxonomies(connection)
    if as_json:
        print_json([asdict(view) for view in views])
        return
    if not views:
        print_line("there is no taxonomy yet; 'rayon taxonomies import FILE' adds one, 'rayon import FILE' as well")
        return
    rows = [(view.name, view.categories, view.levels, ", ".join(view.sources), view.model) for view in views]
    print_table(("taxonomy", "categories", "levels", "sources", "model version"), rows)


@taxonomies.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a taxonomy that 'taxonomies list' shows")],
    *,
    search: Annotated[str, typer.Option(help="only categories with this text in path, synonym, name or id")] = "",
    limit: Annotated[int, typer.Option(min=1, help="maximum number of categories")] = 1_000,
    as_json: AsJson = False,
) -> None:
    """Show the categories of a taxonomy as a tree."""
    with open_context("taxonomies").engine.connect() as connection:
        view = find_taxonomy_view(connection, name)
        found = find_categories(connection, view.id, words=search, limit=limit + 1)
    categories = found[:limit]
    if as_json:
        print_json({**asdict(view), "items": [asdict(category) for category in categories]})
        return
    for category in categories:
        indented = "  " * (category.level - 1) + category.path.rpartition(SEPARATOR)[2]
        texts = ", ".join((*category.synonyms, *category.names.values()))
        own = category.path.replace(SEPARATOR, " > ") if search else indented
        print_line(f"{own} ({texts})" if texts else own)
    if len(found) > limit:
        print_note(f"only the first {limit:,} are shown; see more with --limit, or search with --search")


def _summary(result: ImportedTaxonomy, *, dry_run: bool) -> str:
    changes = result.changes
    if changes.is_empty:
        return f"{result.name} has these {changes.unchanged:,} categories already; nothing changes"
    counts = {"added": changes.added, "renamed": changes.renamed, "updated": changes.updated}
    done = ", ".join(f"{len(part):,} {word}" for word, part in counts.items() if part)
    would = "would be " if dry_run else ""
    further = (
        f"; {result.requeued:,} listings {'would ' if dry_run else ''}get new suggestions" if result.requeued else ""
    )
    return f"{result.name}: {would}{done}, {changes.unchanged:,} unchanged{further}"


def _print_changes(changes: TaxonomyChanges) -> None:
    for word, paths in {
        "add": [entry.path for entry in changes.added],
        "rename": [f"{old}  →  {new}" for old, new in changes.renamed.items()],
        "update": [entry.path for entry in changes.updated],
    }.items():
        for path in paths[:SHOWN_CHANGES]:
            print_line(f"{word}  {path}")
        if len(paths) > SHOWN_CHANGES:
            print_line(f"{word}  … and {len(paths) - SHOWN_CHANGES:,} more")


def _report(result: ImportedTaxonomy, *, dry_run: bool) -> Mapping[str, Any]:
    changes = result.changes
    return {
        "taxonomy": result.name,
        "dry_run": dry_run,
        "added": [entry.path for entry in changes.added],
        "renamed": dict(changes.renamed),
        "updated": [entry.path for entry in changes.updated],
        "unchanged": changes.unchanged,
        "unlisted": changes.unlisted,
        "requeued": result.requeued,
        "notes": [str(note) for note in changes.notes],
    }

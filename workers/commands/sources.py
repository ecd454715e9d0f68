"""Commands on sources: list them, and set how they write categories."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from infra.store.sources import all_sources
from pipeline.domain.category_notation import CategoryNotation
from pipeline.domain.errors import InvalidInput
from pipeline.domain.source import Source
from pipeline.steps.source_registration import set_notation
from workers.commands.command_context import open_context
from workers.commands.options import CategoryListSeparatorOption, CategorySeparatorOption, group
from workers.commands.terminal import AsJson, print_json, print_line


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    sources = group("sources", "Sources: list them, set how they write categories.")
    sources.command(name="list")(list_)
    sources.command()(notation)
    app.add_typer(sources)


def list_(*, as_json: AsJson = False) -> None:
    """List the sources with their taxonomies and how they write categories."""
    with open_context("sources").engine.connect() as connection:
        sources = all_sources(connection, None)
    if as_json:
        print_json([_as_json(source) for source in sources])
        return
    for source in sources:
        print_line(f"{source.name}  taxonomy {source.taxonomy}  {_sentence(source.notation)}")
    if not sources:
        print_line("there is no source yet; import a file with: rayon import FILE --source NAME")


def notation(
    name: Annotated[str, typer.Argument(help="the source, as 'rayon sources list' shows it")],
    *,
    category_separator: CategorySeparatorOption = None,
    category_list_separator: CategoryListSeparatorOption = None,
    category: Annotated[
        str, typer.Option(help="of several categories: first, deepest (of the first tree), or specific")
    ] = "",
    recognised: Annotated[
        bool, typer.Option("--recognised", help="leave everything to what is recognised, as for a new source")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set how a source writes categories: later imports and posted listings are read so.

    What is not given stays as it is.
    """
    wanted = CategoryNotation.of(category_separator, category_list_separator, category)
    if recognised == (wanted != CategoryNotation()):
        raise InvalidInput(
            "give --recognised, or what to set: --category-separator, --category-list-separator, --category"
        )
    context = open_context("sources")
    with context.engine.connect() as connection:
        stored = next((source.notation for source in all_sources(connection, None) if source.name == name), None)
    source = set_notation(context.units, name, wanted.merged_with(stored) if stored and not recognised else wanted)
    if as_json:
        print_json(_as_json(source))
    else:
        print_line(f"source {source.name}: {_sentence(source.notation)}")


def _as_json(source: Source) -> dict[str, object]:
    return {"name": source.name, "taxonomy": source.taxonomy, "category_notation": asdict(source.notation)}


def _sentence(notation: CategoryNotation) -> str:
    if notation == CategoryNotation():
        return "categories are recognised"
    parts = []
    if notation.separator is not None:
        parts.append(f"parts of a category are separated by {notation.separator!r}")
    if notation.list_separator is not None:
        between = f"several categories by {notation.list_separator!r}" if notation.list_separator else "one category"
        parts.append(between)
    if notation.choice is not None:
        parts.append(f"of several, {notation.choice.value}")
    return ", ".join(parts)

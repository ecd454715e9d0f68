"""Options that several commands share, with the same bounds as in the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from infra.catalogue_files.column_detection import EXAMPLE, read_choices
from pipeline.domain.category import MAX_DEPTH

if TYPE_CHECKING:
    from typer._click import Context

LevelOption = Annotated[
    int | None,
    typer.Option("--level", min=1, max=MAX_DEPTH, help="answer at this level only; by default as deep as is sure"),
]
MinLevelOption = Annotated[
    int,
    typer.Option("--min-level", min=1, max=MAX_DEPTH, help="the least useful level: answers above it go to review"),
]
MAX_SEED = 2**32 - 1
MAX_HELP_LENGTH = 1_000


class CommandGroup(TyperGroup):
    """A group whose help shows the complete first sentence of each command, on several lines if necessary."""

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        """Write the list of commands."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(MAX_HELP_LENGTH))
                    for name, command in commands
                    if command is not None
                ]
            )


def group(name: str, summary: str) -> typer.Typer:
    """A group of commands under one name."""
    return typer.Typer(name=name, cls=CommandGroup, help=summary, no_args_is_help=True, rich_markup_mode=None)


COLUMNS_HELP = (
    f"columns that are not recognised by themselves: {EXAMPLE}; also attributes=brand,colour (or =*) and split; an "
    "empty one (image=) says that there is none; may be repeated"
)
CategorySeparatorOption = Annotated[
    str | None,
    typer.Option(
        "--category-separator",
        metavar="TEXT",
        help="what stands between the parts of a category, such as /; by default the source's, else recognised",
    ),
]
CategoryListSeparatorOption = Annotated[
    str | None,
    typer.Option(
        "--category-list-separator",
        metavar="TEXT",
        help="what stands between several categories of a listing, such as ; or newline; '' if there is only one",
    ),
]
ColumnsOption = Annotated[list[str] | None, typer.Option("--columns", metavar="ROLE=COLUMN,…", help=COLUMNS_HELP)]


def chosen_columns(texts: list[str] | None) -> dict[str, str]:
    """The options, parsed for ``open_catalogue``; InvalidCatalogue if one is malformed."""
    return read_choices(texts or [])

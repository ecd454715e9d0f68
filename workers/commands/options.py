"""Options that several commands share, with the same bounds as in the HTTP interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from infra.catalogue_files.column_detection import EXAMPLE, read_choices
from pipeline.domain.category import MAX_DEPTH

if TYPE_CHECKING:
    from typer._click import Context

LevelOption = Annotated[
    int | None, typer.Option("--level", min=1, max=MAX_DEPTH, help="level of the categories; detected by default")
]
MAX_SEED = 2**32 - 1
MAX_SENTENCE = 1_000


class CommandGroup(TyperGroup):
    """A group whose help shows the whole first sentence of each command, over several lines if need be."""

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        """Write the list of commands."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, c.get_short_help_str(MAX_SENTENCE)) for name, c in commands if c is not None])


def group(name: str, summary: str) -> typer.Typer:
    """A group of commands under one name."""
    return typer.Typer(name=name, cls=CommandGroup, help=summary, no_args_is_help=True, rich_markup_mode=None)


COLUMNS_HELP = (
    f"columns that are not recognised by themselves: {EXAMPLE}; also attributes=brand,colour (or =*) and split; an "
    "empty one (image=) says that there is none; may be repeated"
)
ColumnsOption = Annotated[list[str] | None, typer.Option("--columns", metavar="ROLE=COLUMN,…", help=COLUMNS_HELP)]


def chosen_columns(texts: list[str] | None) -> dict[str, str]:
    """The options as ``open_catalogue`` takes them; InvalidCatalogue when one cannot be understood."""
    return read_choices(texts or [])

"""Options that several commands share, with the same bounds as in the HTTP interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from infra.catalogue_files.columns import EXAMPLE, read_choices
from pipeline.domain.category import MAX_DEPTH

if TYPE_CHECKING:
    from typer._click import Context

LevelOption = Annotated[
    int | None, typer.Option("--level", min=1, max=MAX_DEPTH, help="level of the categories; by default found out")
]
MOST_SEED = 2**32 - 1
WHOLE = 1_000


class WholeSentences(TyperGroup):
    """A group whose help tells what each command does to the end of the sentence, over several lines if need be."""

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        """Write the list of commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(WHOLE)) for name, one in found if one is not None])


def group(name: str, told: str) -> typer.Typer:
    """A group of commands under one word."""
    return typer.Typer(name=name, cls=WholeSentences, help=told, no_args_is_help=True, rich_markup_mode=None)


HELP = (
    f"which column is what, when it is not found out rightly: {EXAMPLE}; also attributes=brand,colour (or =*) and "
    "split; an empty one (image=) says there is none; may be repeated"
)
ColumnsOption = Annotated[list[str] | None, typer.Option("--columns", metavar="ROLE=COLUMN,…", help=HELP)]


def chosen_columns(texts: list[str] | None) -> dict[str, str]:
    """What ``open_catalogue`` takes as ``columns``; InvalidCatalogue when it is no choice."""
    return read_choices(texts or [])

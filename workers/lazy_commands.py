"""Commands imported when they are called: a process of the house loads its own libraries, not every command's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from workers.library_loading import loading

if TYPE_CHECKING:
    # Typer keeps a copy of Click of its own, and exports no names for these two.
    from typer._click import Command, Context


@dataclass(frozen=True, slots=True)
class Row:
    """A word of the command line: the module of ``workers/commands`` whose ``add_to`` adds it, and what help says."""

    name: str
    module: str
    summary: str


class LazyCommands(Mapping[str, "Command"]):
    """Commands by name, in the order of the rows; reading one imports its module."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Command:
        holder = typer.Typer(rich_markup_mode=None)
        with loading():
            module = import_module(f"workers.commands.{self.rows[name].module}")
        module.add_to(holder)
        return typer.main.get_group(holder).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class LazyGroup(TyperGroup):
    """A group whose commands are ``rows`` (set by a subclass); asking for help imports none of them."""

    rows: tuple[Row, ...] = ()

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LazyCommands(self.rows)  # type: ignore[assignment]  # typer only reads it

    def list_commands(self, ctx: Context) -> list[str]:
        """The names, in the order of the rows."""
        return [row.name for row in self.rows]

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(row.name, row.summary) for row in self.rows])

"""The command line, ``rayon``: the table of its commands, each imported only when it is called.

The commands are in ``workers/commands``; a process loads only the libraries that its command needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from pipeline.domain.display_text import replace_control_characters
from pipeline.domain.errors import RayonError
from workers.garbage_collection import gc_paused

if TYPE_CHECKING:
    # Typer vendors Click and does not export these names.
    from typer._click import Command, Context, HelpFormatter


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command: its name, the module of ``workers/commands`` whose ``add_to`` adds it, and its help line."""

    name: str
    module: str
    summary: str


COMMANDS = (
    CommandEntry("up", "stack", "Start everything, and load a sample catalogue on the first start."),
    CommandEntry("down", "stack", "Stop the running stack."),
    CommandEntry("status", "status", "Show running workers, waiting jobs and decisions."),
    CommandEntry("doctor", "doctor", "Check for problems and explain how to fix them."),
    CommandEntry("import", "import_file", "Import a catalogue file, with a verdict for every row."),
    CommandEntry("collect", "collect", "Import products from an external product database."),
    CommandEntry("collections", "collections", "Scheduled collections: list, pause, resume, remove, run."),
    CommandEntry("imports", "imports", "Past imports: list, show, withdraw vanished products."),
    CommandEntry("sources", "sources", "Sources: list them, set how they write categories."),
    CommandEntry("taxonomies", "taxonomies", "Taxonomies: import the names of categories, list, show."),
    CommandEntry("rules", "rules", "Rules from a source's categories to ours: propose, decide, export, import."),
    CommandEntry("train", "train", "Train a model version on all labelled listings."),
    CommandEntry("categorise", "categorise", "Categorise one product with the active model."),
    CommandEntry("evaluate", "evaluate", "Measure accuracy on held-out listings; needs no running stack."),
    CommandEntry("study", "study", "Measure whether a catalogue can be categorised automatically."),
    CommandEntry("models", "models", "Model versions: list, show, promote, rollback; the weights of networks."),
    CommandEntry("dead-letters", "dead_letters", "Jobs that failed for good: list, show, replay."),
    CommandEntry("keys", "keys", "API keys: create, list, revoke."),
    CommandEntry("migrate", "migrate", "Migrate the database to the newest schema."),
    CommandEntry("relay", "run_process", "Send waiting jobs to the broker and return lost ones."),
    CommandEntry("worker", "run_process", "Work on one queue until stopped."),
    CommandEntry("beat", "run_process", "Add the periodic jobs when they are due."),
)


class LazyCommands(Mapping[str, "Command"]):
    """The commands by name, in the order of the entries; accessing one imports its module."""

    def __init__(self, entries: tuple[CommandEntry, ...]) -> None:
        self._entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> Command:
        module_app = typer.Typer(rich_markup_mode=None)
        with gc_paused():
            module = import_module(f"workers.commands.{self._entries[name].module}")
        module.add_to(module_app)
        return typer.main.get_group(module_app).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class RayonCommands(TyperGroup):
    """The group of all commands; showing its help imports none of them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LazyCommands(COMMANDS)  # type: ignore[assignment]  # typer only reads it

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002  # Click's signature
        """The names of the commands, in the order of the entries."""
        return [entry.name for entry in COMMANDS]

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002  # Click's signature
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.summary) for entry in COMMANDS])


app = typer.Typer(
    name="rayon",
    cls=RayonCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def rayon() -> None:
    """Assign the products of a marketplace to categories, with the confidence of each assignment."""


def main() -> None:
    """Run a command; a RayonError ends it with one sentence on standard error and exit code 2, without a traceback."""
    try:
        app()
    except RayonError as error:
        print(replace_control_characters(f"rayon: {error}"), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        reason = _lost_database(error)
        if reason is None:
            raise
        print(f"rayon: the database does not answer ({reason}); start the stack with: rayon up", file=sys.stderr)
        sys.exit(2)


def _lost_database(error: Exception) -> str | None:
    """Why the database cannot be reached; None for any other error. Nothing is imported: commands load SQLAlchemy."""
    if type(error).__module__ != "sqlalchemy.exc" or type(error).__name__ not in ("OperationalError", "InterfaceError"):
        return None
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]


if __name__ == "__main__":
    main()

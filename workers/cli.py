"""The command line: ``rayon``. Commands live in ``workers/commands``, one module a noun; each has its row here."""

from __future__ import annotations

import sys

import typer

from pipeline.domain.errors import RayonError
from workers.lazy_commands import LazyGroup, Row
from workers.terminal_text import harmless


class Commands(LazyGroup):
    """Every word of the command line, in the order of its help."""

    rows = (
        Row("up", "stack", "Start everything, and load a sample catalogue on the first start."),
        Row("down", "stack", "Stop it."),
        Row("status", "health", "What runs, what waits, what was decided, and who works."),
        Row("doctor", "health", "What is wrong, and what to do about it."),
        Row("import", "imports", "Bring in a catalogue file, with a verdict for every row."),
        Row("collect", "collect", "Bring in products from an external product database."),
        Row("collections", "collections", "What is collected again and again: list, pause, resume, remove, run."),
        Row("imports", "import_history", "Imports that were made: list, show, withdraw what vanished."),
        Row("rules", "rules", "What a source's categories mean here: propose, decide, export, import."),
        Row("train", "train", "Train a model version on all labelled listings."),
        Row("categorise", "categorise", "Ask the active model about one product."),
        Row("evaluate", "evaluate", "Measure on listings the model has not seen; needs no running stack."),
        Row("study", "study", "Study whether a catalogue can be categorised; on a file, without a stack."),
        Row("models", "models", "Model versions: list, show, promote, rollback; the weights of networks."),
        Row("dead-letters", "dead_letters", "Jobs that were given up: list, show, replay."),
        Row("keys", "keys", "API keys: create, list, revoke."),
        Row("migrate", "processes", "Bring the database's schema up to date."),
        Row("relay", "processes", "Send waiting jobs to the broker and bring back lost ones."),
        Row("worker", "processes", "Work on one queue until told to stop."),
        Row("beat", "processes", "Insert the periodic jobs when they are due."),
    )


app = typer.Typer(
    name="rayon",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def rayon() -> None:
    """Puts every product of a marketplace on the right shelf, and says how sure it is."""


def main() -> None:
    """Run a command; a user's mistake ends in one plain sentence and exit code 2, never in a traceback."""
    try:
        app()
    except RayonError as error:
        print(harmless(f"rayon: {error}"), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

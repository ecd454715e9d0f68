"""The command line: ``rayon``. Commands live in ``workers/commands``, one module a noun."""

from __future__ import annotations

import sys

import typer

from pipeline.domain.errors import RayonError
from workers.commands import answers, evaluating, health, imports, keys, letters, models, services, stack, training

app = typer.Typer(
    name="rayon",
    help="Puts every product of a marketplace on the right shelf, and says how sure it is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
stack.add_to(app)
health.add_to(app)
keys.add_to(app)
services.add_to(app)
imports.add_to(app)
training.add_to(app)
models.add_to(app)
answers.add_to(app)
evaluating.add_to(app)
letters.add_to(app)


def main() -> None:
    """Run a command; a user's mistake ends in one plain sentence and exit code 2, never in a traceback."""
    try:
        app()
    except RayonError as error:
        print(f"rayon: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

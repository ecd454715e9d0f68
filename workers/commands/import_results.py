"""Parts shared by the commands import and collect: the verdict file, interruptions, and waiting for decisions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import typer
from sqlalchemy.exc import InterfaceError, OperationalError

from infra.catalogue_files.verdict_file import VerdictWriter
from infra.store.imports.queries import count_by_decision, count_undecided, list_verdicts
from pipeline.domain.errors import InvalidInput, Unavailable
from workers.bootstrap import WorkerContext
from workers.commands.await_jobs import wait_until_decided
from workers.commands.terminal import print_line, print_note

VERDICTS_PER_QUERY = 1_000
OUTCOMES = {"assigned": "assigned", "needs_review": "need review", "abstained": "abstained", "dead": "dead letters"}


@contextmanager
def database_needed() -> Iterator[None]:
    """Raise Unavailable with advice if the database becomes unreachable; end the command on Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (OperationalError, InterfaceError) as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise Unavailable(f"the database does not answer ({reason}); start the same command again") from error


@contextmanager
def print_how_to_continue() -> Iterator[None]:
    """If the block fails, print that the same command continues the import."""
    try:
        yield
    except BaseException:
        print_note("stopped; imported rows are kept, and the same command continues from there")
        raise


def verdict_file(target: Path) -> Path:
    """Return the path after checking that verdicts can be written to it; InvalidInput when they cannot."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"the verdicts cannot be written to {target.parent}: {error.strerror}") from error
    if target.is_dir() or not os.access(target.parent, os.W_OK):
        raise InvalidInput(f"the verdicts cannot be written to {target}; name another file with --verdicts")
    return target


def write_verdicts(context: WorkerContext, import_id: int, target: Path) -> None:
    """Write the verdicts on all rows of an import, even if another process imported some of them."""
    last_number = 0
    with VerdictWriter(target) as writer, context.engine.connect() as connection:
        while verdicts := list_verdicts(connection, import_id, None, last_number, VERDICTS_PER_QUERY):
            for verdict in verdicts:
                writer.write(verdict)
            last_number = verdicts[-1].number


def wait_for_decisions(context: WorkerContext, import_id: int, accepted: int, *, silent: bool) -> dict[str, int]:
    """Wait until the listings of an import are decided; returns the number per outcome and of those ``waiting``."""
    remaining = wait_until_decided(context, partial(count_undecided, import_id=import_id), accepted)
    with context.engine.connect() as connection:
        counts = count_by_decision(connection, import_id)
    if not silent:
        counts_text = [f"{counts.get(status, 0)} {words}" for status, words in OUTCOMES.items()]
        waiting = f"; {remaining} still wait, and no worker is alive" if remaining else ""
        print_line("decided: " + ", ".join(counts_text) + waiting)
    return {status: counts.get(status, 0) for status in OUTCOMES} | {"waiting": remaining}

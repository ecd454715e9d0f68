"""Parts of the commands import and collect: the file of verdicts, interruptions, and waiting for decisions."""

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

VERDICTS_AT_ONCE = 1_000
OUTCOMES = {"assigned": "assigned", "needs_review": "need review", "abstained": "abstained", "dead": "dead letters"}


@contextmanager
def database_needed() -> Iterator[None]:
    """Raise Unavailable, which says what to do, when the database is lost; end the command at Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (OperationalError, InterfaceError) as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise Unavailable(f"the database does not answer ({reason}); start the same command again") from error


@contextmanager
def print_how_to_continue() -> Iterator[None]:
    """Say that the same command continues an import which does not end well."""
    try:
        yield
    except BaseException:
        print_note("stopped; what was imported stays, and the same command continues from there")
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
    """Write the verdict on every row of an import, whichever process imported it."""
    after = 0
    with VerdictWriter(target) as writer, context.engine.connect() as connection:
        while verdicts := list_verdicts(connection, import_id, None, after, VERDICTS_AT_ONCE):
            for verdict in verdicts:
                writer.write(verdict)
            after = verdicts[-1].number


def wait_for_decisions(context: WorkerContext, import_id: int, accepted: int, *, silent: bool) -> dict[str, int]:
    """Wait until the listings of an import are decided; how many there are of each outcome, and still ``waiting``."""
    left = wait_until_decided(context, partial(count_undecided, import_id=import_id), accepted)
    with context.engine.connect() as connection:
        counts = count_by_decision(connection, import_id)
    if not silent:
        decided = [f"{counts.get(status, 0)} {words}" for status, words in OUTCOMES.items()]
        waiting = f"; {left} still wait, and no worker is alive" if left else ""
        print_line("decided: " + ", ".join(decided) + waiting)
    return {status: counts.get(status, 0) for status in OUTCOMES} | {"waiting": left}

"""Commands on dead letters: jobs that failed for good."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from infra.store.dead_letters import DeadLetterFilter, DeadLetterView, find_dead_letter, list_dead_letters
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.reason import reason_fields
from pipeline.steps import dead_letters as use_cases
from workers.commands.command_context import open_context
from workers.commands.options import group
from workers.commands.terminal import AsJson, print_json, print_line, print_table

letters = group("dead-letters", "Jobs that failed for good: list, show, replay.")
SHOWN_CHARACTERS = 60


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(letters)


@letters.command("list")
def list_(
    *,
    everything: Annotated[bool, typer.Option("--all", help="also those replayed already")] = False,
    limit: Annotated[int, typer.Option(min=1, help="maximum number, newest first")] = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    letter_filter = DeadLetterFilter(replayed=None if everything else False)
    with open_context("dead-letters").engine.connect() as connection:
        dead_letters = list_dead_letters(connection, letter_filter, limit=limit)
    if as_json:
        print_json([_as_json(letter) for letter in dead_letters])
        return
    if not dead_letters:
        print_line("there are no dead letters")
        return
    rows = [
        (
            letter.id,
            letter.kind,
            f"{letter.source}/{letter.external_id}" if letter.source else "",
            letter.attempts,
            f"{letter.created_at:%Y-%m-%d %H:%M:%S}",
            _shortened(str(letter.reason)),
        )
        for letter in dead_letters
    ]
    print_table(("id", "job", "listing", "attempts", "failed at", "reason"), rows)


@letters.command()
def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="the number that 'dead-letters list' shows")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter with its history and traceback."""
    with open_context("dead-letters").engine.connect() as connection:
        letter = find_dead_letter(connection, letter_id)
    if letter is None:
        raise NotFound(f"there is no dead letter {letter_id}; see: rayon dead-letters list")
    fields = _as_json(letter)
    if as_json:
        print_json(fields)
        return
    for name in ("id", "job_id", "kind", "source", "external_id", "created_at", "replayed_at", "reason"):
        if fields[name] is not None:
            print_line(f"{name.replace('_', ' ')}: {fields[name]}")
    for attempt in letter.history:
        outcome = attempt["outcome"] or "no end known"
        lines = (attempt["error"] or "").strip().splitlines()
        print_line(
            f"attempt {attempt['attempt']} by {attempt['worker']} at {attempt['started_at']}: {outcome}"
            + (f": {lines[-1]}" if lines else "")
        )
    if letter.traceback:
        print_line(letter.traceback.rstrip())


@letters.command()
def replay(
    letter_ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="the letters to replay")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="replay all")] = False,
    reason: Annotated[str, typer.Option(help="replay those whose reason contains this text")] = "",
    as_json: AsJson = False,
) -> None:
    """Run jobs that failed for good again, their attempts counted from zero."""
    if bool(letter_ids) + everything + bool(reason) != 1:
        raise InvalidInput("say which dead letters to replay: their ids, or --reason TEXT, or --all")
    replayed = use_cases.replay(open_context("dead-letters").units, letter_ids or None, reason or None)
    if letter_ids and not replayed:
        raise NotFound("none of these is an open dead letter; see: rayon dead-letters list")
    if as_json:
        print_json({"replayed": replayed})
    else:
        print_line(f"{replayed} jobs wait again")


def _as_json(letter: DeadLetterView) -> dict[str, object]:
    return {**asdict(letter), **reason_fields(letter.reason)}


def _shortened(reason: str) -> str:
    return reason if len(reason) <= SHOWN_CHARACTERS else reason[:SHOWN_CHARACTERS] + "…"

"""Commands on jobs that were given up."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.store.dead_letters.queries import find_dead_letter, list_dead_letters
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.steps import dead_letters as step
from workers.commands.options import group
from workers.commands.terminal import AsJson, open_context, say, say_json, say_table

letters = group("dead-letters", "Jobs that were given up: list, show, replay.")
SHOWN = 60


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(letters)


@letters.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="also those replayed already")] = False,
    limit: Annotated[int, typer.Option(min=1, help="at most so many, newest first")] = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    with open_context("dead-letters").engine.connect() as connection:
        found = list_dead_letters(connection, replayed=None if everything else False, limit=limit)
    if as_json:
        say_json(found)
        return
    if not found:
        say("there are no dead letters")
        return
    rows = [
        (
            letter["id"],
            letter["kind"],
            f"{letter['source']}/{letter['external_id']}" if letter["source"] else "",
            letter["attempts"],
            f"{letter['created_at']:%Y-%m-%d %H:%M:%S}",
            letter["reason"] if len(letter["reason"]) <= SHOWN else letter["reason"][:SHOWN] + "…",
        )
        for letter in found
    ]
    say_table(("id", "job", "listing", "attempts", "given up", "reason"), rows)


@letters.command()
def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="the number that 'dead-letters list' shows")],
    as_json: AsJson = False,
) -> None:
    """Show a dead letter with its history and traceback."""
    with open_context("dead-letters").engine.connect() as connection:
        letter = find_dead_letter(connection, letter_id)
    if letter is None:
        raise NotFound(f"there is no dead letter {letter_id}; see: rayon dead-letters list")
    if as_json:
        say_json(letter)
        return
    for name in ("id", "job_id", "kind", "source", "external_id", "created_at", "replayed_at", "reason"):
        if letter[name] is not None:
            say(f"{name.replace('_', ' ')}: {letter[name]}")
    for attempt in letter["history"]:
        ending = attempt["outcome"] or "no end known"
        last = (attempt["error"] or "").strip().splitlines()
        say(
            f"attempt {attempt['attempt']} by {attempt['worker']} at {attempt['started_at']}: {ending}"
            + (f": {last[-1]}" if last else "")
        )
    if letter["traceback"]:
        say(letter["traceback"].rstrip())


@letters.command()
def replay(
    letter_ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="which ones")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,
    reason: Annotated[str, typer.Option(help="those whose reason contains this text")] = "",
    as_json: AsJson = False,
) -> None:
    """Set given-up jobs waiting again, with a clean slate."""
    if bool(letter_ids) + everything + bool(reason) != 1:
        raise InvalidInput("say which dead letters to replay: their ids, or --reason TEXT, or --all")
    replayed = step.replay(open_context("dead-letters").units, letter_ids or None, reason or None)
    if letter_ids and not replayed:
        raise NotFound("none of these is a dead letter that nobody replayed; see: rayon dead-letters list")
    if as_json:
        say_json({"replayed": replayed})
    else:
        say(f"{replayed} jobs wait again")

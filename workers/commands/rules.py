"""Commands on what a source's categories mean here: proposed, looked at, decided, taken out and in as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from infra.catalogue_files.rule_file import NOTHING, read_rules, write_rules
from infra.store.listings.page_queries import list_sources
from infra.store.rules import repository as store
from infra.store.rules.coverage import read_conflicts, read_coverage
from infra.store.rules.proposal_jobs import request_mapping
from infra.store.rules.queries import count_rules, every_rule, find_rule, list_rules, rules_of
from infra.store.taxonomies.repository import find_source
from pipeline.domain.errors import InvalidInput, NotFound, PermanentFailure, Unavailable
from pipeline.domain.job import JobState, Queue
from pipeline.domain.rule import RefusedLines, RuleStatus
from pipeline.domain.source import Source
from pipeline.domain.text import listed
from workers.commands.job_waiting import follow, start_here, wait_for_worker
from workers.commands.options import group
from workers.commands.terminal import AsJson, open_context, remark, say, say_json, say_table

rules = group("rules", "What a source's categories mean here: propose, list, accept, refuse, export, import, coverage.")
BY = "the command line"
NOBODY = (
    "no worker that proposes rules is alive: start one with 'rayon up' or 'rayon worker --role train', or propose in "
    "this process with --here"
)
SourceName = Annotated[str, typer.Argument(metavar="SOURCE", help="whose categories, such as openfoodfacts")]
SourceCategory = Annotated[str, typer.Argument(metavar="SOURCE_CATEGORY", help="as the source names it")]
Path_ = Annotated[str, typer.Argument(metavar="[CATEGORY]", help="of the taxonomy; by default the one proposed")]
Nothing = Annotated[bool, typer.Option("--nothing", help="in the place of a category: it means nothing here")]
New = Annotated[bool, typer.Option("--new", help="add categories that the taxonomy does not have")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rules)


@rules.command()
def propose(
    source: SourceName,
    here: Annotated[bool, typer.Option("--here", help="in this process, without a worker")] = False,
    as_json: AsJson = False,
) -> None:
    """Propose what each category of a source means here, in the place of earlier proposals; what people said stays."""
    context = open_context("rules")
    with context.engine.connect() as connection:
        found = source_of(connection, source)
    if not here and not wait_for_worker(context, Queue.TRAINING):
        raise Unavailable(NOBODY)
    with context.engine.begin() as connection:
        job_id = request_mapping(connection, found.id, BY)
    taken = "a worker is proposing rules for this source already; follow it without --here"
    run = follow(context, job_id, start_here(context, job_id, taken) if here else None, "the proposing")
    if run.state is not JobState.DONE:
        raise PermanentFailure(f"nothing was proposed for {found.name}: {run.note}")
    with context.engine.connect() as connection:
        counts = count_rules(connection, found.id)
    if as_json:
        say_json({"job": job_id, "note": run.note, "rules": counts})
    else:
        say(run.note)


@rules.command("list")
def list_(
    source: SourceName,
    status: Annotated[RuleStatus | None, typer.Option(help="only those proposed, accepted or refused")] = None,
    limit: Annotated[int, typer.Option(min=1, help="at most so many, the most believed first")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the rules of a source, the most believed first."""
    with open_context("rules").engine.connect() as connection:
        found = list_rules(connection, source_of(connection, source).id, status, None, limit)
    if as_json:
        say_json(found)
        return
    if not found:
        say(f"there is no such rule; 'rayon rules propose {source}' proposes some")
        return
    rows = [
        (
            rule["source_category"],
            rule["category"] or NOTHING,
            rule["status"],
            *("" if rule[name] is None else f"{rule[name]:.2f}" for name in ("score", "similarity", "agreement")),
            rule["support"],
            "; ".join(example["name"][:30] for example in rule["examples"][:2]),
        )
        for rule in found
    ]
    say_table(("at the source", "here", "status", "belief", "alike", "decided so", "listings", "such as"), rows)


@rules.command()
def accept(
    source: SourceName,
    source_category: Annotated[str, typer.Argument(metavar="[SOURCE_CATEGORY]", help="as the source names it")] = "",
    category: Path_ = "",
    nothing: Nothing = False,
    above: Annotated[
        float | None, typer.Option(min=0, max=1, help="every proposal of at least this belief, such as 0.8")
    ] = None,
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Accept a rule, in place of any other word on the category; its listings are labelled by it from now on."""
    if (above is None) != bool(source_category):
        raise InvalidInput("say which category of the source, or --above with the least belief, such as 0.8")
    with open_context("rules").engine.begin() as connection:
        found = source_of(connection, source)
        if above is not None:
            accepted = store.accept_above(connection, found.id, above, BY)
            told: dict[str, Any] = {"accepted": accepted}
        else:
            told = _decide(connection, found, source_category, category, nothing, RuleStatus.ACCEPTED, new)
    _tell(told, as_json)


@rules.command()
def refuse(
    source: SourceName,
    source_category: SourceCategory,
    category: Path_ = "",
    nothing: Nothing = False,
    as_json: AsJson = False,
) -> None:
    """Refuse a rule: the category does not mean this, and it is not proposed again."""
    with open_context("rules").engine.begin() as connection:
        found = source_of(connection, source)
        told = _decide(connection, found, source_category, category, nothing, RuleStatus.REFUSED, False)
    _tell(told, as_json)


@rules.command()
def export(
    source: SourceName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a CSV file, for any spreadsheet")],
    as_json: AsJson = False,
) -> None:
    """Write all rules of a source to a CSV file, to edit the columns category and status there."""
    with open_context("rules").engine.connect() as connection:
        written = write_rules(file, every_rule(connection, source_of(connection, source).id))
    if as_json:
        say_json({"file": str(file), "rules": written})
    else:
        say(f"wrote {written} rules to {file}")


@rules.command("import")
def import_(
    source: SourceName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what 'rules export' wrote, edited")],
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Take the decisions of a CSV file over, all of them or, where a line cannot be used, none."""
    try:
        lines = read_rules(file)
        with open_context("rules").engine.begin() as connection:
            store.apply_lines(connection, source_of(connection, source).id, lines, BY, new=new)
    except RefusedLines as refused:
        for number, problem in refused.problems.items():
            remark(f"line {number}: {problem}")
        raise InvalidInput(
            f"nothing was changed: {len(refused.problems)} lines of {file} cannot be used; mend them and start again"
        ) from None
    accepted = sum(line.accepted for line in lines)
    if as_json:
        say_json({"accepted": accepted, "refused": len(lines) - accepted})
    else:
        say(f"{accepted} rules of the file are accepted, {len(lines) - accepted} refused")


@rules.command()
def coverage(source: SourceName, as_json: AsJson = False) -> None:
    """Tell how many collected listings have a rule, and where rules contradict each other, the model or people."""
    with open_context("rules").engine.connect() as connection:
        found = source_of(connection, source)
        covered = read_coverage(connection, found.id)
        conflicts = read_conflicts(connection, found.id, covered["listings"])
        counts = count_rules(connection, found.id)
    if as_json:
        say_json({"source": found.name, "taxonomy": found.taxonomy, **covered, "rules": counts, **conflicts})
        return
    of = covered["counted"]
    part = "" if of == covered["listings"] else f", {of} of them looked at"
    say(f"{covered['listings']} listings of {found.name} were collected{part}:")
    for name, words in (
        ("mapped", "have an accepted rule"),
        ("proposed", "have only a proposal"),
        ("nothing", "mean nothing here by accepted rules"),
        ("none", "have no rule"),
    ):
        say(f"  {covered[name]:>7} {words} ({100 * covered[name] / max(of, 1):.0f} %)")
    say(f"rules: {', '.join(f'{number} {status}' for status, number in counts.items())}")
    say(f"{conflicts['in_conflict']} listings have accepted rules that contradict each other")
    for pair in conflicts["contradicting"]:
        one, other = pair["one"], pair["other"]
        say(
            f"  {pair['listings']} with {one['source_category']} ({one['category']}) and "
            f"{other['source_category']} ({other['category']})"
        )
    for row in conflicts["contradicted"]:
        rule = row["rule"]
        say(
            f"  {rule['source_category']} ({rule['category']}): {row['decided_against']} of {row['decided']} decisions "
            f"of the model and {row['reviewed_against']} of {row['reviewed']} reviews are against it"
        )


def source_of(connection: Connection, name: str) -> Source:
    """The source of this name; NotFound names those there are."""
    found = find_source(connection, " ".join(name.split()))
    if found is None:
        names = listed([source.name for source in list_sources(connection, None)]) or "none yet"
        raise NotFound(f"there is no source '{name}'; there are: {names}")
    return found


def _decide(
    connection: Connection, source: Source, name: str, category: str, nothing: bool, status: RuleStatus, new: bool
) -> dict[str, Any]:
    """Say it of the category that is given, else of the rule that is open; the rule as it is then."""
    if category and nothing:
        raise InvalidInput("give a category or --nothing, not both")
    chosen = category or None
    if not category and not nothing:
        known = rules_of(connection, source.id, name)
        wanted = [RuleStatus.PROPOSED] if status is RuleStatus.ACCEPTED else [RuleStatus.PROPOSED, RuleStatus.ACCEPTED]
        rule = next((rule for state in wanted for rule in known if rule["status"] == state), None)
        if rule is None:
            raise InvalidInput(f"nothing is proposed for '{name}'; say which category of the taxonomy, or --nothing")
        chosen = rule["category"]
    rule_id = store.set_rule(connection, source.id, name, chosen, BY, status=status, new=new)
    return find_rule(connection, source.id, rule_id) or {}


def _tell(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(told)
    elif "status" not in told:
        say(f"{told['accepted']} rules were accepted")
    else:
        means = "means" if told["status"] == RuleStatus.ACCEPTED else "does not mean"
        say(f"{told['source_category']} {means} {told['category'] or NOTHING}: {told['support']} listings have it")

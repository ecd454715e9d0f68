"""Commands on the rules of a source: propose, list and decide them, export and import them, show their coverage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from infra.catalogue_files.rule_file import MEANS_NOTHING, read_rules, write_rules
from infra.store.rules.coverage_and_conflicts import CoverageReport, read_coverage_report
from infra.store.rules.queries import RuleView, all_rules, count_rules, find_rule, list_rules, rules_of_category
from infra.store.sources import find_source, list_sources
from pipeline.domain.display_text import join_names
from pipeline.domain.errors import InvalidInput, NotFound, PermanentFailure, Unavailable
from pipeline.domain.job import JobState, Queue
from pipeline.domain.rule import InvalidRuleLines, Meaning, RuleStatus
from pipeline.domain.source import Source
from pipeline.steps import rules as use_cases
from workers.commands.await_jobs import follow, start_here, wait_for_worker
from workers.commands.command_context import open_context
from workers.commands.options import group
from workers.commands.terminal import AsJson, print_json, print_line, print_note, print_table

rules = group(
    "rules", "Rules from a source's categories to ours: propose, list, accept, refuse, export, import, coverage."
)
DECIDED_BY = "the command line"
NO_WORKER = (
    "no worker that proposes rules is alive: start one with 'rayon up' or 'rayon worker --role train', or propose in "
    "this process with --here"
)
SourceName = Annotated[str, typer.Argument(metavar="SOURCE", help="the source, such as openfoodfacts")]
SourceCategory = Annotated[str, typer.Argument(metavar="SOURCE_CATEGORY", help="as the source names it")]
CategoryPath = Annotated[str, typer.Argument(metavar="[CATEGORY]", help="our category; by default the proposed one")]
NothingOption = Annotated[
    bool, typer.Option("--nothing", help="instead of CATEGORY: no category of the taxonomy corresponds to it")
]
NewOption = Annotated[bool, typer.Option("--new", help="add categories that the taxonomy does not have")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rules)


@rules.command()
def propose(
    source: SourceName,
    *,
    here: Annotated[bool, typer.Option("--here", help="in this process, without a worker")] = False,
    as_json: AsJson = False,
) -> None:
    """Propose a rule for each category of a source, replacing earlier proposals; decisions by people are kept."""
    context = open_context("rules")
    with context.engine.connect() as connection:
        source_record = source_of(connection, source)
    if not here and not wait_for_worker(context, Queue.TRAINING):
        raise Unavailable(NO_WORKER)
    job_id = use_cases.request_proposals(context.units, source_record.id, DECIDED_BY)
    already_running = "a worker is proposing rules for this source already; follow it without --here"
    job = follow(
        context, job_id, start_here(context, job_id, already_running) if here else None, "the search for proposals"
    )
    if job.state is not JobState.DONE:
        raise PermanentFailure(f"nothing was proposed for {source_record.name}: {job.note}")
    with context.engine.connect() as connection:
        counts = count_rules(connection, source_record.id)
    if as_json:
        print_json({"job": job_id, "note": job.note, "rules": counts})
    else:
        print_line(job.note)


@rules.command("list")
def list_(
    source: SourceName,
    *,
    status: Annotated[RuleStatus | None, typer.Option(help="only those proposed, accepted or refused")] = None,
    limit: Annotated[int, typer.Option(min=1, help="maximum number, highest confidence first")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the rules of a source, highest confidence first."""
    with open_context("rules").engine.connect() as connection:
        listed_rules = list_rules(connection, source_of(connection, source).id, status, None, limit)
    if as_json:
        print_json([asdict(rule) for rule in listed_rules])
        return
    if not listed_rules:
        print_line(f"there is no such rule; 'rayon rules propose {source}' proposes some")
        return
    rows = [
        (
            rule.source_category,
            rule.category or MEANS_NOTHING,
            rule.status,
            *("" if share is None else f"{share:.2f}" for share in (rule.score, rule.similarity, rule.agreement)),
            rule.support,
            "; ".join(example.name[:30] for example in rule.examples[:2]),
        )
        for rule in listed_rules
    ]
    header = (
        "source category",
        "our category",
        "status",
        "confidence",
        "similarity",
        "agreement",
        "listings",
        "examples",
    )
    print_table(header, rows)


@rules.command()
def accept(
    source: SourceName,
    source_category: Annotated[str, typer.Argument(metavar="[SOURCE_CATEGORY]", help="as the source names it")] = "",
    category: CategoryPath = "",
    *,
    nothing: NothingOption = False,
    above: Annotated[
        float | None, typer.Option(min=0, max=1, help="accept all proposals with at least this confidence, such as 0.8")
    ] = None,
    new: NewOption = False,
    as_json: AsJson = False,
) -> None:
    """Accept a rule, replacing any other decision on the category; its listings are labelled by it from now on."""
    if (above is None) != bool(source_category):
        raise InvalidInput("name a category of the source, or give --above with the minimum confidence, such as 0.8")
    chosen_meaning = _chosen_meaning(category, nothing=nothing, new=new)
    context = open_context("rules")
    with context.engine.connect() as connection:
        source_record = source_of(connection, source)
    if above is not None:
        accepted = use_cases.accept_proposals(context.units, source_record.id, above, DECIDED_BY)
        if as_json:
            print_json({"accepted": accepted})
        else:
            print_line(f"{accepted} rules were accepted")
        return
    with context.engine.connect() as connection:
        meaning = chosen_meaning or _best_meaning(connection, source_record, source_category, RuleStatus.PROPOSED)
    rule_id = use_cases.set_rule(
        context.units, source_record.id, source_category, meaning, RuleStatus.ACCEPTED, DECIDED_BY
    )
    with context.engine.connect() as connection:
        _print_decided(find_rule(connection, source_record.id, rule_id), as_json=as_json)


@rules.command()
def refuse(
    source: SourceName,
    source_category: SourceCategory,
    category: CategoryPath = "",
    *,
    nothing: NothingOption = False,
    as_json: AsJson = False,
) -> None:
    """Refuse a rule: the source category does not mean this, and the rule is not proposed again."""
    chosen_meaning = _chosen_meaning(category, nothing=nothing)
    context = open_context("rules")
    with context.engine.connect() as connection:
        source_record = source_of(connection, source)
        statuses = (RuleStatus.PROPOSED, RuleStatus.ACCEPTED)
        meaning = chosen_meaning or _best_meaning(connection, source_record, source_category, *statuses)
    rule_id = use_cases.set_rule(
        context.units, source_record.id, source_category, meaning, RuleStatus.REFUSED, DECIDED_BY
    )
    with context.engine.connect() as connection:
        _print_decided(find_rule(connection, source_record.id, rule_id), as_json=as_json)


@rules.command()
def export(
    source: SourceName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a CSV file, for any spreadsheet")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write all rules of a source to a CSV file, whose columns category and status may be edited."""
    with open_context("rules").engine.connect() as connection:
        written = write_rules(file, all_rules(connection, source_of(connection, source).id))
    if as_json:
        print_json({"file": str(file), "rules": written})
    else:
        print_line(f"wrote {written} rules to {file}")


@rules.command("import")
def import_(
    source: SourceName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a file that 'rules export' wrote, edited")],
    *,
    new: NewOption = False,
    as_json: AsJson = False,
) -> None:
    """Apply the decisions of a CSV file: all of them or, if any line is invalid, none."""
    context = open_context("rules")
    try:
        lines = read_rules(file)
        with context.engine.connect() as connection:
            source_record = source_of(connection, source)
        use_cases.import_rules(context.units, source_record.id, lines, DECIDED_BY, create_missing=new)
    except InvalidRuleLines as error:
        for number, problem in error.problems.items():
            print_note(f"line {number}: {problem}")
        raise InvalidInput(
            f"nothing was changed: {len(error.problems)} lines of {file} cannot be used; correct them and start again"
        ) from None
    accepted = sum(line.accepted for line in lines)
    if as_json:
        print_json({"accepted": accepted, "refused": len(lines) - accepted})
    else:
        print_line(f"{accepted} rules of the file are accepted, {len(lines) - accepted} refused")


@rules.command()
def coverage(source: SourceName, *, as_json: AsJson = False) -> None:
    """Show how many collected listings have a rule, and where rules contradict each other, the model or people."""
    with open_context("rules").engine.connect() as connection:
        source_record = source_of(connection, source)
        report = read_coverage_report(connection, source_record.id)
        counts = count_rules(connection, source_record.id)
    if as_json:
        coverage_fields = {**asdict(report.coverage), "none": report.coverage.none}
        source_fields = {"source": source_record.name, "taxonomy": source_record.taxonomy}
        print_json({**source_fields, **coverage_fields, "rules": counts, **asdict(report.conflicts)})
    else:
        _print_coverage(source_record, report, counts)


def source_of(connection: Connection, name: str) -> Source:
    """The source of this name; NotFound lists the existing ones."""
    source = find_source(connection, " ".join(name.split()))
    if source is None:
        names = join_names([existing.name for existing in list_sources(connection, None)]) or "none yet"
        raise NotFound(f"there is no source '{name}'; there are: {names}")
    return source


def _chosen_meaning(category: str, *, nothing: bool, new: bool = False) -> Meaning | None:
    """The meaning that the options name; None if they name none."""
    if category and nothing:
        raise InvalidInput("give a category or --nothing, not both")
    return Meaning(category or None, new) if category or nothing else None


def _best_meaning(connection: Connection, source: Source, source_category: str, *statuses: RuleStatus) -> Meaning:
    """The meaning of the source category's best rule with the first of these statuses that any of its rules has."""
    rules = rules_of_category(connection, source.id, source_category)
    rule = next((rule for status in statuses for rule in rules if rule.status is status), None)
    if rule is None:
        raise InvalidInput(
            f"nothing is proposed for '{source_category}'; say which category of the taxonomy, or --nothing"
        )
    return Meaning(rule.category)


def _print_decided(rule: RuleView | None, *, as_json: bool) -> None:
    if rule is None:
        raise NotFound("the rule was deleted meanwhile; see: rayon rules list")
    if as_json:
        print_json(asdict(rule))
        return
    means = "means" if rule.status is RuleStatus.ACCEPTED else "does not mean"
    print_line(f"{rule.source_category} {means} {rule.category or MEANS_NOTHING}: {rule.support} listings have it")


def _print_coverage(source: Source, report: CoverageReport, counts: dict[RuleStatus, int]) -> None:
    coverage, conflicts = report.coverage, report.conflicts
    counted_text = "" if coverage.counted == coverage.listings else f", {coverage.counted} of them counted"
    print_line(f"{coverage.listings} listings of {source.name} were collected{counted_text}:")
    for count, label in (
        (coverage.mapped, "have an accepted rule"),
        (coverage.proposed, "have only a proposal"),
        (coverage.nothing, "correspond to no category by accepted rules"),
        (coverage.none, "have no rule"),
    ):
        print_line(f"  {count:>7} {label} ({100 * count / max(coverage.counted, 1):.0f} %)")
    print_line(f"rules: {', '.join(f'{count} {status}' for status, count in counts.items())}")
    print_line(f"{conflicts.in_conflict} listings have accepted rules that contradict each other")
    for pair in conflicts.contradicting:
        print_line(
            f"  {pair.listings} with {pair.one.source_category} ({pair.one.category}) and "
            f"{pair.other.source_category} ({pair.other.category})"
        )
    for row in conflicts.contradicted:
        print_line(
            f"  {row.rule.source_category} ({row.rule.category}): {row.decided_against} of {row.decided} decisions "
            f"of the model and {row.reviewed_against} of {row.reviewed} reviews are against it"
        )

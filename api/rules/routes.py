"""Rules for what a source's categories mean here: read, proposed, decided; how much they cover, where they conflict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import Connection

from api.auth import Admin, Reader
from api.context import Context
from api.listings.routes import Cursor, Limit
from api.listings.schemas import Clean
from api.pagination import LARGEST_ID, decode_cursor, encode_cursor
from api.rules.schemas import (
    CoverageShown,
    ManyAccepted,
    ManyDecided,
    ProposingShown,
    RuleDecided,
    RuleGiven,
    RulePage,
    RuleShown,
)
from infra.store.rules import repository
from infra.store.rules.coverage import read_conflicts, read_coverage
from infra.store.rules.proposal_jobs import latest_mapping, request_mapping
from infra.store.rules.queries import RulePlace, count_rules, find_rule, list_rules, place_of
from infra.store.taxonomies.repository import find_source
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.rule import RuleStatus
from pipeline.domain.source import Source

# The name of a source may have slashes.
router = APIRouter(prefix="/v1/sources/{name:path}", tags=["rules"])
SourceName = Annotated[Clean, Path(max_length=200)]
RuleId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
SHARES = ("mapped", "proposed", "nothing", "none")


@router.get("/rules", response_model=RulePage)
def show_rules(
    name: SourceName,
    context: Context,
    grant: Reader,
    status: RuleStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Rules of a source, the most believed first, with the grounds of proposals and up to three listings each."""
    after = RulePlace(*decode_cursor(cursor, [float, int, int])) if cursor else None
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
        found = list_rules(connection, source.id, status, after, limit + 1)
    return {"items": found[:limit], "next": cursor_of(found, limit)}


@router.put("/rules", response_model=RuleShown)
def put_rule(name: SourceName, given: RuleGiven, context: Context, grant: Admin) -> dict[str, Any] | None:
    """Say what a source's category means, in place of any other word on it, or what it does not mean."""
    if given.status is RuleStatus.PROPOSED:
        raise InvalidInput("a rule is put as accepted or refused; proposals come from POST …/rules/propose")
    with context.engine.begin() as connection:
        source = source_of(connection, grant, name)
        rule_id = repository.set_rule(
            connection, source.id, given.source_category, given.category, grant.name, status=given.status, new=given.new
        )
        return find_rule(connection, source.id, rule_id)


@router.post("/rules/propose", status_code=HTTPStatus.ACCEPTED, response_model=ProposingShown)
def propose_rules(name: SourceName, context: Context, grant: Admin) -> dict[str, Any]:
    """Ask for proposals in the place of earlier ones; one job at a time. Followed by `proposing` of the coverage."""
    with context.engine.begin() as connection:
        source = source_of(connection, grant, name)
        request_mapping(connection, source.id, grant.name)
        job = latest_mapping(connection, source.id)
    assert job is not None
    return asdict(job)


@router.post("/rules/accept", response_model=ManyDecided)
def accept_many(name: SourceName, wanted: ManyAccepted, context: Context, grant: Admin) -> dict[str, int]:
    """Accept every proposal of at least this score."""
    with context.engine.begin() as connection:
        source = source_of(connection, grant, name)
        return {"accepted": repository.accept_above(connection, source.id, wanted.score, grant.name)}


@router.get("/rules/{rule_id:int}", response_model=RuleShown)
def show_rule(name: SourceName, rule_id: RuleId, context: Context, grant: Reader) -> dict[str, Any]:
    """One rule."""
    with context.engine.connect() as connection:
        return rule_of(connection, source_of(connection, grant, name), rule_id)


@router.post("/rules/{rule_id:int}", response_model=RuleShown)
def decide_rule(
    name: SourceName, rule_id: RuleId, decided: RuleDecided, context: Context, grant: Admin
) -> dict[str, Any] | None:
    """Accept, refuse or open a rule again; with another category it is that which is accepted, and this one refused."""
    change = "category" in decided.model_fields_set
    with context.engine.begin() as connection:
        source = source_of(connection, grant, name)
        rule_of(connection, source, rule_id)
        now = repository.decide(
            connection, rule_id, grant.name, decided.status, decided.category, change=change, new=decided.new
        )
        return find_rule(connection, source.id, now)


@router.get("/coverage", response_model=CoverageShown)
def show_coverage(name: SourceName, context: Context, grant: Reader) -> dict[str, Any]:
    """How much of what was collected has a rule, and where accepted rules contradict each other, the model, people."""
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
        return coverage_of(connection, source)


def coverage_of(connection: Connection, source: Source, covered: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What ``CoverageShown`` tells of a source; ``covered`` are coverage and conflicts where they are known."""
    if covered is None:
        covered = read_coverage(connection, source.id)
        covered = covered | read_conflicts(connection, source.id, covered["listings"])
    job = latest_mapping(connection, source.id)
    return {
        "source": source.name,
        "taxonomy": source.taxonomy,
        **covered,
        "shares": {part: covered[part] / covered["counted"] if covered["counted"] else 0.0 for part in SHARES},
        "rules": count_rules(connection, source.id),
        "proposing": None if job is None else asdict(job),
    }


def source_of(connection: Connection, grant: Grant, name: str) -> Source:
    """The source of this name; NotFound for one the key is not bound to, whether it exists or not."""
    source = find_source(connection, " ".join(name.split()))
    if source is None or not grant.covers(source.id):
        raise NotFound(f"there is no source '{name[:100]}' for this key")
    return source


def rule_of(connection: Connection, source: Source, rule_id: int) -> dict[str, Any]:
    """A rule of this very source; else NotFound."""
    found = find_rule(connection, source.id, rule_id)
    if found is None:
        raise NotFound(f"the source '{source.name}' has no rule {rule_id}")
    return found


def cursor_of(found: list[dict[str, Any]], limit: int) -> str | None:
    """Where a page of so many rules ends; None when ``found`` has no more than that."""
    if len(found) <= limit:
        return None
    last = place_of(found[limit - 1])
    return encode_cursor([last.score, last.support, last.id])

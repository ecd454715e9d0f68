"""Rules of a source: list, propose and decide them; their coverage and conflicts."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import Connection

from api.auth import Admin, Reader
from api.context import ApiContext, Context
from api.pagination import Cursor, Limit, decode_cursor, encode_cursor
from api.parameters import Clean, RecordId
from api.rules.schemas import (
    AcceptAboveRequest,
    AcceptAboveResponse,
    CoverageResponse,
    ProposalJobResponse,
    RuleChangeRequest,
    RulePage,
    RuleRequest,
    RuleResponse,
)
from infra.store.rules.coverage_and_conflicts import read_coverage_report
from infra.store.rules.queries import RulePlace, RuleView, count_rules, find_rule, latest_proposal_job, list_rules
from infra.store.sources import find_source
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.rule import Meaning, RuleStatus
from pipeline.domain.source import Source
from pipeline.steps import rules

# The name of a source may contain slashes.
router = APIRouter(prefix="/v1/sources/{name:path}", tags=["rules"])
SourceName = Annotated[Clean, Path(max_length=200)]


@router.get("/rules")
def show_rules(
    name: SourceName,
    context: Context,
    grant: Reader,
    status: RuleStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RulePage:
    """Rules of a source, highest score first, with the grounds of proposals and up to three example listings each."""
    after = position_of(cursor)
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
        rule_views = list_rules(connection, source.id, status, after, limit + 1)
    return RulePage(
        items=[RuleResponse.of(rule) for rule in rule_views[:limit]], next=cursor_after_rules(rule_views, limit)
    )


@router.put("/rules")
def put_rule(name: SourceName, requested: RuleRequest, context: Context, grant: Admin) -> RuleResponse:
    """Accept or refuse a meaning of a source's category; it replaces any earlier decision on that meaning."""
    if requested.status is RuleStatus.PROPOSED:
        raise InvalidInput("a rule is put as accepted or refused; proposals come from POST …/rules/propose")
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
    meaning = Meaning(requested.category, requested.new)
    rule_id = rules.set_rule(context.units, source.id, requested.source_category, meaning, requested.status, grant.name)
    return _rule_response(context, source, rule_id)


@router.post("/rules/propose", status_code=HTTPStatus.ACCEPTED)
def propose_rules(name: SourceName, context: Context, grant: Admin) -> ProposalJobResponse:
    """Request proposals, which replace earlier ones. One job at a time; the coverage shows it as `proposing`."""
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
    rules.request_proposals(context.units, source.id, grant.name)
    with context.engine.connect() as connection:
        return ProposalJobResponse.model_validate(latest_proposal_job(connection, source.id))


@router.post("/rules/accept")
def accept_many(name: SourceName, requested: AcceptAboveRequest, context: Context, grant: Admin) -> AcceptAboveResponse:
    """Accept every proposal with at least this score."""
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
    return AcceptAboveResponse(accepted=rules.accept_proposals(context.units, source.id, requested.score, grant.name))


@router.get("/rules/{rule_id:int}")
def show_rule(name: SourceName, rule_id: RecordId, context: Context, grant: Reader) -> RuleResponse:
    """One rule."""
    with context.engine.connect() as connection:
        return RuleResponse.of(rule_of(connection, source_of(connection, grant, name), rule_id))


@router.post("/rules/{rule_id:int}")
def decide_rule(
    name: SourceName, rule_id: RecordId, change: RuleChangeRequest, context: Context, grant: Admin
) -> RuleResponse:
    """Accept, refuse or reopen a rule; with another category, a new rule for it is accepted and this one refused."""
    meaning = Meaning(change.category, change.new) if "category" in change.model_fields_set else None
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
        rule_of(connection, source, rule_id)
    decided_rule_id = rules.decide_rule(context.units, rule_id, change.status, grant.name, meaning)
    return _rule_response(context, source, decided_rule_id)


@router.get("/coverage")
def show_coverage(name: SourceName, context: Context, grant: Reader) -> CoverageResponse:
    """Coverage of collected listings by rules, and conflicts of accepted rules with each other and with decisions."""
    with context.engine.connect() as connection:
        source = source_of(connection, grant, name)
        report = read_coverage_report(connection, source.id)
        job = latest_proposal_job(connection, source.id)
        return CoverageResponse.of(source, report, count_rules(connection, source.id), job)


def source_of(connection: Connection, grant: Grant, name: str) -> Source:
    """The source of this name; NotFound for a source the key is not bound to, whether it exists or not."""
    source = find_source(connection, " ".join(name.split()))
    if source is None or not grant.covers(source.id):
        raise NotFound(Reason.of(ReasonCode.SOURCE_NOT_FOUND, name=name[:100]))
    return source


def rule_of(connection: Connection, source: Source, rule_id: int) -> RuleView:
    """A rule of this source; NotFound for any other."""
    rule = find_rule(connection, source.id, rule_id)
    if rule is None:
        raise NotFound(f"the source '{source.name}' has no rule {rule_id}")
    return rule


def position_of(cursor: str | None) -> RulePlace | None:
    """The position in a cursor, where the previous page ended; None without a cursor."""
    return RulePlace(*decode_cursor(cursor, [float, int, int])) if cursor else None


def cursor_after_rules(rule_views: Sequence[RuleView], limit: int) -> str | None:
    """The cursor after the first ``limit`` rules; None if there are no more."""
    if len(rule_views) <= limit:
        return None
    last = RulePlace.of(rule_views[limit - 1])
    return encode_cursor([last.score, last.support, last.id])


def _rule_response(context: ApiContext, source: Source, rule_id: int) -> RuleResponse:
    with context.engine.connect() as connection:
        return RuleResponse.of(rule_of(connection, source, rule_id))

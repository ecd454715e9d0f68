"""The page of rules: coverage and conflicts of a source, and forms to accept, change or refuse its rules."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.context import ApiContext, Context
from api.language import language_of
from api.parameters import RecordId, Words
from api.rules.grounds_wording import grounds_in_words
from api.rules.routes import cursor_after_rules, position_of, rule_of, source_of
from api.rules.schemas import CoverageResponse
from api.web.rendering import render
from api.web.session import PostedForm, SignedInVisitor, Visitor, require_admin
from infra.store.rules.queries import (
    category_choices,
    count_likely,
    count_rules,
    latest_proposal_job,
    list_rules,
    mapped_sources,
)
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import OPEN_STATES
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.rule import Meaning, RuleStatus
from pipeline.domain.source import Source
from pipeline.steps import rules

router = APIRouter()
PAGE_SIZE = 40
ALL_STATUSES = "all"
MIN_SCORE_CHOICES = (0.9, 0.8, 0.7)
# Value of a rule's button -> the new status of the rule.
STATUS_BY_ACTION = {
    "accept": RuleStatus.ACCEPTED,
    "nothing": RuleStatus.ACCEPTED,
    "refuse": RuleStatus.REFUSED,
    "open": RuleStatus.PROPOSED,
}
CursorText = Annotated[str, Query()]


@router.get("/rules")
def show_rules(
    request: Request,
    context: Context,
    visitor: Visitor,
    source: Words = "",
    status: Words = "",
    cursor: CursorText = "",
) -> Response:
    """The rules of a source (by default the first by name), highest score first."""
    return _page(request, context, visitor, {"source": source, "status": status, "cursor": cursor})


@router.post("/rules")
def add_rule(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept a rule for a category of the source; it replaces any earlier decision on it."""
    require_admin(visitor)
    form_values = _form_values(form)
    source = _source(context, visitor, form_values)
    meaning = Meaning(form_values["category"] or None, form_values["new"] == "yes")
    source_category, decided_by = form_values["source_category"], visitor.grant.name
    try:
        rules.set_rule(context.units, source.id, source_category, meaning, RuleStatus.ACCEPTED, decided_by)
    except InvalidInput as problem:
        return _page(request, context, visitor, form_values, {"problem": reason_of(problem)})
    return _redirect_to_list(form_values | {"status": RuleStatus.ACCEPTED.value, "cursor": ""})


@router.post("/rules/propose")
def propose(context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Request proposals."""
    require_admin(visitor)
    form_values = _form_values(form)
    rules.request_proposals(context.units, _source(context, visitor, form_values).id, visitor.grant.name)
    return _redirect_to_list(form_values | {"cursor": ""})


@router.post("/rules/accept")
def accept_many(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept every proposal with at least the chosen score."""
    require_admin(visitor)
    form_values = _form_values(form)
    try:
        min_score = float(str(form.get("score", "")))
    except ValueError:
        return _page(request, context, visitor, form_values, {"problem": Reason(ReasonCode.INVALID_BELIEF)})
    source = _source(context, visitor, form_values)
    try:
        rules.accept_proposals(context.units, source.id, min_score, visitor.grant.name)
    except InvalidInput as problem:
        return _page(request, context, visitor, form_values, {"problem": reason_of(problem)})
    return _redirect_to_list(form_values | {"cursor": ""})


@router.post("/rules/{rule_id}")
def decide(request: Request, rule_id: RecordId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept a rule (with another category if one was entered), refuse it, or make it a proposal again."""
    require_admin(visitor)
    form_values = _form_values(form)
    action = str(form.get("do", "accept"))
    status = STATUS_BY_ACTION.get(action, RuleStatus.ACCEPTED)
    with context.engine.connect() as connection:
        rule = rule_of(connection, source_of(connection, visitor.grant, form_values["source"]), rule_id)
    category = None if action == "nothing" else form_values["category"] or rule.category
    category_changed = status is RuleStatus.ACCEPTED and category != rule.category
    meaning = Meaning(category, form_values["new"] == "yes") if category_changed else None
    try:
        rules.decide_rule(context.units, rule_id, status, visitor.grant.name, meaning)
    except InvalidInput as problem:
        return _page(request, context, visitor, form_values, {"rule": rule_id, "problem": reason_of(problem)})
    return _redirect_to_list(form_values)


def _source(context: ApiContext, visitor: SignedInVisitor, form_values: Mapping[str, str]) -> Source:
    with context.engine.connect() as connection:
        return source_of(connection, visitor.grant, form_values["source"])


def _form_values(form: Mapping[str, Any]) -> dict[str, str]:
    names = ("source", "status", "cursor", "source_category", "category", "new")
    return {name: str(form.get(name, "")).strip()[:600] for name in names}


def _redirect_to_list(form_values: Mapping[str, str]) -> Response:
    parameters = {name: form_values[name] for name in ("source", "status", "cursor") if form_values[name]}
    return RedirectResponse(f"/rules?{urlencode(parameters)}", HTTPStatus.SEE_OTHER)


def _page(
    request: Request,
    context: ApiContext,
    visitor: SignedInVisitor,
    form_values: Mapping[str, str],
    form_error: Mapping[str, Any] | None = None,
) -> Response:
    """The page; with a ``form_error``, the form shows the problem and keeps its values."""
    after, language = position_of(form_values["cursor"]), language_of(request)
    variables: dict[str, Any] = {
        "form_values": form_values,
        "form_error": form_error or {},
        "newest": after is None,
        "source": None,
    }
    with context.engine.connect() as connection:
        sources = mapped_sources(connection, visitor.grant.source_ids)
        source_name = form_values["source"] or (sources[0] if sources else "")
        variables["sources"] = sources
        if source_name:
            source = source_of(connection, visitor.grant, source_name)
            counts, job = count_rules(connection, source.id), latest_proposal_job(connection, source.id)
            report = context.coverage_cache.report_of(connection, source.id)
            status = _selected_status(form_values["status"], counts)
            listed_rules = list_rules(
                connection, source.id, None if status == ALL_STATUSES else status, after, PAGE_SIZE + 1
            )
            open_job = job if job is not None and job.state in OPEN_STATES else None
            variables |= {
                "source": source,
                "coverage": CoverageResponse.of(source, report, counts, job),
                "status": status,
                "statuses": {
                    **{rule_status.value: count for rule_status, count in counts.items()},
                    ALL_STATUSES: sum(counts.values()),
                },
                "rules": [
                    (rule, grounds_in_words(language, rule.grounds, rule.category)) for rule in listed_rules[:PAGE_SIZE]
                ],
                "more": cursor_after_rules(listed_rules, PAGE_SIZE),
                "likely": count_likely(connection, source.id, MIN_SCORE_CHOICES),
                "categories": category_choices(connection, source.id),
                "proposing": open_job,
                "following": open_job is not None and open_job.due and not form_error,
            }
    return render(
        request, "rules/list.html", visitor, variables, HTTPStatus.UNPROCESSABLE_ENTITY if form_error else HTTPStatus.OK
    )


def _selected_status(requested: str, counts: Mapping[RuleStatus, int]) -> str:
    """The requested status if it is valid; else proposed, or all if no rule is proposed."""
    if requested in counts or requested == ALL_STATUSES:
        return requested
    return RuleStatus.PROPOSED.value if counts[RuleStatus.PROPOSED] else ALL_STATUSES

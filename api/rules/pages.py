"""The page of rules: coverage and conflicts of a source, and rules to accept, change or refuse."""

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
from api.rules.routes import cursor_of, place_of, rule_of, source_of
from api.rules.schemas import CoverageResponse
from api.web.rendering import render
from api.web.session import PostedForm, SignedIn, Visitor, require_admin
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
PAGE = 40
EVERY_STATUS = "all"
SCORE_CHOICES = (0.9, 0.8, 0.7)
# The value of a rule's button -> the status it asks for.
VERBS = {
    "accept": RuleStatus.ACCEPTED,
    "nothing": RuleStatus.ACCEPTED,
    "refuse": RuleStatus.REFUSED,
    "open": RuleStatus.PROPOSED,
}
Place = Annotated[str, Query()]


@router.get("/rules")
def show_rules(
    request: Request, context: Context, visitor: Visitor, source: Words = "", status: Words = "", cursor: Place = ""
) -> Response:
    """The rules of a source (by default the first one by name), the most believed first."""
    return _page(request, context, visitor, {"source": source, "status": status, "cursor": cursor})


@router.post("/rules")
def add_rule(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept a rule for a category of the source, in place of any other decision on it."""
    require_admin(visitor)
    given = _given(form)
    source = _source(context, visitor, given)
    meaning = Meaning(given["category"] or None, given["new"] == "yes")
    name, by = given["source_category"], visitor.grant.name
    try:
        rules.set_rule(context.units, source.id, name, meaning, RuleStatus.ACCEPTED, by)
    except InvalidInput as problem:
        return _page(request, context, visitor, given, {"problem": reason_of(problem)})
    return _back(given | {"status": RuleStatus.ACCEPTED.value, "cursor": ""})


@router.post("/rules/propose")
def propose(context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Ask for proposals."""
    require_admin(visitor)
    given = _given(form)
    rules.request_proposals(context.units, _source(context, visitor, given).id, visitor.grant.name)
    return _back(given | {"cursor": ""})


@router.post("/rules/accept")
def accept_many(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept every proposal of at least the chosen belief."""
    require_admin(visitor)
    given = _given(form)
    try:
        score = float(str(form.get("score", "")))
    except ValueError:
        return _page(request, context, visitor, given, {"problem": Reason(ReasonCode.INVALID_BELIEF)})
    source = _source(context, visitor, given)
    try:
        rules.accept_proposals(context.units, source.id, score, visitor.grant.name)
    except InvalidInput as problem:
        return _page(request, context, visitor, given, {"problem": reason_of(problem)})
    return _back(given | {"cursor": ""})


@router.post("/rules/{rule_id}")
def decide(request: Request, rule_id: RecordId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept a rule, with another category if one was written, refuse it, or make it a proposal again."""
    require_admin(visitor)
    given = _given(form)
    verb = str(form.get("do", "accept"))
    status = VERBS.get(verb, RuleStatus.ACCEPTED)
    with context.engine.connect() as connection:
        found = rule_of(connection, source_of(connection, visitor.grant, given["source"]), rule_id)
    category = None if verb == "nothing" else given["category"] or found.category
    changed = status is RuleStatus.ACCEPTED and category != found.category
    meaning = Meaning(category, given["new"] == "yes") if changed else None
    try:
        rules.decide_rule(context.units, rule_id, status, visitor.grant.name, meaning)
    except InvalidInput as problem:
        return _page(request, context, visitor, given, {"rule": rule_id, "problem": reason_of(problem)})
    return _back(given)


def _source(context: ApiContext, visitor: SignedIn, given: Mapping[str, str]) -> Source:
    with context.engine.connect() as connection:
        return source_of(connection, visitor.grant, given["source"])


def _given(form: Mapping[str, Any]) -> dict[str, str]:
    names = ("source", "status", "cursor", "source_category", "category", "new")
    return {name: str(form.get(name, "")).strip()[:600] for name in names}


def _back(given: Mapping[str, str]) -> Response:
    kept = {name: given[name] for name in ("source", "status", "cursor") if given[name]}
    return RedirectResponse(f"/rules?{urlencode(kept)}", HTTPStatus.SEE_OTHER)


def _page(
    request: Request,
    context: ApiContext,
    visitor: SignedIn,
    given: Mapping[str, str],
    mistake: Mapping[str, Any] | None = None,
) -> Response:
    """The page; with a ``mistake`` in a form, its fields keep what was written."""
    after, language = place_of(given["cursor"]), language_of(request)
    variables: dict[str, Any] = {"given": given, "mistake": mistake or {}, "newest": after is None, "source": None}
    with context.engine.connect() as connection:
        sources = mapped_sources(connection, visitor.grant.source_ids)
        named = given["source"] or (sources[0] if sources else "")
        variables["sources"] = sources
        if named:
            source = source_of(connection, visitor.grant, named)
            counts, job = count_rules(connection, source.id), latest_proposal_job(connection, source.id)
            report = context.coverage.report_of(connection, source.id)
            status = _status(given["status"], counts)
            found = list_rules(connection, source.id, None if status == EVERY_STATUS else status, after, PAGE + 1)
            open_job = job if job is not None and job.state in OPEN_STATES else None
            variables |= {
                "source": source,
                "coverage": CoverageResponse.of(source, report, counts, job),
                "status": status,
                "statuses": {
                    **{known.value: number for known, number in counts.items()},
                    EVERY_STATUS: sum(counts.values()),
                },
                "rules": [(rule, grounds_in_words(language, rule.grounds, rule.category)) for rule in found[:PAGE]],
                "more": cursor_of(found, PAGE),
                "likely": count_likely(connection, source.id, SCORE_CHOICES),
                "categories": category_choices(connection, source.id),
                "proposing": open_job,
                "following": open_job is not None and open_job.due and not mistake,
            }
    return render(
        request, "rules/list.html", visitor, variables, HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    )


def _status(asked: str, counts: Mapping[RuleStatus, int]) -> str:
    """The status that was asked for; else proposed, or all if no rule is proposed."""
    if asked in counts or asked == EVERY_STATUS:
        return asked
    return RuleStatus.PROPOSED.value if counts[RuleStatus.PROPOSED] else EVERY_STATUS

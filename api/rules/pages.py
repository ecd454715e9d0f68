"""What a source's categories mean here: coverage, conflicts, and rules to accept, change or refuse."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.context import ApiContext, Context
from api.listings.pages import ListingId, Words
from api.pagination import decode_cursor
from api.rules.routes import coverage_of, cursor_of, rule_of, source_of
from api.rules.wording import grounds_in_words
from api.web.rendering import render
from api.web.session import PostedForm, SignedIn, Visitor, require_admin
from infra.store.rules import repository
from infra.store.rules.proposal_jobs import request_mapping
from infra.store.rules.queries import RulePlace, category_choices, count_likely, list_rules, mapped_sources
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import OPEN_STATES
from pipeline.domain.rule import RuleStatus

router = APIRouter()
PAGE = 40
EVERY = "all"
LIKELY = (0.9, 0.8, 0.7)
# What a button of a rule says -> the status it asks for.
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
    """The rules of a source, the most believed first; of the only one there is where none is named."""
    return _page(request, context, visitor, {"source": source, "status": status, "cursor": cursor})


@router.post("/rules")
def add_rule(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Say what a category of the source means that has no rule, or another one."""
    require_admin(visitor, "deciding")
    given = _given(form)
    try:
        with context.engine.begin() as connection:
            source = source_of(connection, visitor.grant, given["source"])
            category = given["category"] or None
            new = given["new"] == "yes"
            repository.set_rule(connection, source.id, given["source_category"], category, visitor.grant.name, new=new)
    except InvalidInput as problem:
        return _page(request, context, visitor, given, {"problem": str(problem)})
    return _back(given | {"status": RuleStatus.ACCEPTED.value, "cursor": ""})


@router.post("/rules/propose")
def propose(context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Ask for proposals."""
    require_admin(visitor, "proposing")
    given = _given(form)
    with context.engine.begin() as connection:
        request_mapping(connection, source_of(connection, visitor.grant, given["source"]).id, visitor.grant.name)
    return _back(given | {"cursor": ""})


@router.post("/rules/accept")
def accept_many(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept every proposal of at least the belief that was chosen."""
    require_admin(visitor, "deciding")
    given = _given(form)
    try:
        score = float(str(form.get("score", "")))
    except ValueError:
        return _page(request, context, visitor, given, {"problem": "choose a belief between 0 and 1"})
    try:
        with context.engine.begin() as connection:
            source = source_of(connection, visitor.grant, given["source"])
            repository.accept_above(connection, source.id, score, visitor.grant.name)
    except InvalidInput as problem:
        return _page(request, context, visitor, given, {"problem": str(problem)})
    return _back(given | {"cursor": ""})


@router.post("/rules/{rule_id}")
def decide(request: Request, rule_id: ListingId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept a rule, with another category where one was written, refuse it, or open it again."""
    require_admin(visitor, "deciding")
    given = _given(form)
    verb = str(form.get("do", "accept"))
    status = VERBS.get(verb, RuleStatus.ACCEPTED)
    try:
        with context.engine.begin() as connection:
            found = rule_of(connection, source_of(connection, visitor.grant, given["source"]), rule_id)
            category = None if verb == "nothing" else given["category"] or found["category"]
            change = status is RuleStatus.ACCEPTED and category != found["category"]
            new = given["new"] == "yes"
            repository.decide(connection, rule_id, visitor.grant.name, status, category, change=change, new=new)
    except InvalidInput as problem:
        return _page(request, context, visitor, given, {"rule": rule_id, "problem": str(problem)})
    return _back(given)


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
    """The page; with a ``mistake``, what was written in the form of its rule stands there still."""
    place = given["cursor"]
    after = RulePlace(*decode_cursor(place, [float, int, int])) if place else None
    variables: dict[str, Any] = {"given": given, "mistake": mistake or {}, "newest": after is None, "source": None}
    with context.engine.connect() as connection:
        sources = mapped_sources(connection, visitor.grant.source_ids)
        named = given["source"] or (sources[0] if sources else "")
        variables["sources"] = sources
        if named:
            source = source_of(connection, visitor.grant, named)
            told = coverage_of(connection, source, context.coverage.of(connection, source.id))
            status = _status(given["status"], told["rules"])
            found = list_rules(connection, source.id, None if status == EVERY else status, after, PAGE + 1)
            job = told["proposing"]
            open_job = job is not None and job["state"] in OPEN_STATES
            variables |= {
                "source": source,
                "told": told,
                "status": status,
                "statuses": {**told["rules"], EVERY: sum(told["rules"].values())},
                "rules": [rule | {"words": grounds_in_words(rule)} for rule in found[:PAGE]],
                "more": cursor_of(found, PAGE),
                "likely": count_likely(connection, source.id, LIKELY),
                "categories": category_choices(connection, source.id),
                "proposing": job if open_job else None,
                "following": open_job and job["due"] and not mistake,
            }
    return render(
        request, "rules.html", visitor, variables, HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    )


def _status(asked: str, counts: Mapping[str, int]) -> str:
    """The list that was asked for; else the open ones, and all where none is open."""
    if asked in counts or asked == EVERY:
        return asked
    return RuleStatus.PROPOSED.value if counts[RuleStatus.PROPOSED] else EVERY

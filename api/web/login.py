"""Signing in with an API key, and out again."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.context import ApiContext, Context
from api.web.rendering import render
from api.web.session import COOKIE, PostedForm, new_visit, read_visit, write_visit
from infra.store.keys import find_grant
from pipeline.domain.api_key import Scope
from pipeline.localisation.message_catalogues import gettext_noop

router = APIRouter()
WRONG = gettext_noop(
    "Rayon does not know this key, or it was revoked. A key starts with rk_; make one with: rayon keys create"
)
NOT_FOR_PAGES = gettext_noop("This key may not read, so there is nothing to show. Ask for a key with the scope 'read'.")


@router.get("/login")
def show_login(request: Request, context: Context, next: str = "/") -> Response:  # noqa: A002
    """The form that asks for a key."""
    return _form(request, context, next)


@router.post("/login")
def sign_in(request: Request, context: Context, form: PostedForm) -> Response:
    """A session for a good key; else the form again, with a sentence."""
    with context.engine.connect() as connection:
        grant = find_grant(connection, str(form.get("key", "")).strip())
    where = str(form.get("next", "/"))
    if grant is None or not grant.allows(Scope.READ):
        return _form(request, context, where, WRONG if grant is None else NOT_FOR_PAGES)
    response = RedirectResponse(own_page(where), HTTPStatus.SEE_OTHER)
    write_visit(response, context, new_visit(grant.key_id))
    return response


@router.post("/logout")
def sign_out(_form: PostedForm) -> Response:
    """End the session."""
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE)
    return response


def own_page(where: str) -> str:
    """``where`` if it is a path of this site, else the first page: a login must not lead elsewhere."""
    own = where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable() and "\\" not in where
    return where if own else "/"


def _form(request: Request, context: ApiContext, where: str, problem: str | None = None) -> Response:
    visit = read_visit(request, context) or new_visit()
    status = HTTPStatus.OK if problem is None else HTTPStatus.UNAUTHORIZED
    variables = {"problem": problem, "next": own_page(where), "token": visit.token}
    response = render(request, "web/login.html", None, variables, status)
    write_visit(response, context, visit)
    return response

"""Pages to sign in with an API key and to sign out."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.context import ApiContext, Context
from api.web.rendering import render
from api.web.session import COOKIE, PostedForm, new_session, read_session, write_session
from infra.store.keys import find_grant
from pipeline.domain.api_key import Scope
from pipeline.localisation.message_catalogues import gettext_noop

router = APIRouter()
KEY_UNKNOWN = gettext_noop(
    "Rayon does not know this key, or it was revoked. A key starts with rk_; make one with: rayon keys create"
)
READ_SCOPE_MISSING = gettext_noop(
    "This key may not read, so there is nothing to show. Ask for a key with the scope 'read'."
)


@router.get("/login")
def show_login(request: Request, context: Context, next: str = "/") -> Response:  # noqa: A002
    """The form that asks for a key."""
    return _form(request, context, next)


@router.post("/login")
def sign_in(request: Request, context: Context, form: PostedForm) -> Response:
    """Start a session for a valid key; otherwise show the form again with the problem."""
    with context.engine.connect() as connection:
        grant = find_grant(connection, str(form.get("key", "")).strip())
    next_path = str(form.get("next", "/"))
    if grant is None or not grant.allows(Scope.READ):
        return _form(request, context, next_path, KEY_UNKNOWN if grant is None else READ_SCOPE_MISSING)
    response = RedirectResponse(local_path(next_path), HTTPStatus.SEE_OTHER)
    write_session(response, context, new_session(grant.key_id))
    return response


@router.post("/logout")
def sign_out(_form: PostedForm) -> Response:
    """End the session."""
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE)
    return response


def local_path(path: str) -> str:
    """``path`` if it is a path of this site, else ``/``: a login must not redirect to another site."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_local else "/"


def _form(request: Request, context: ApiContext, next_path: str, problem: str | None = None) -> Response:
    session = read_session(request, context) or new_session()
    status = HTTPStatus.OK if problem is None else HTTPStatus.UNAUTHORIZED
    variables = {"problem": problem, "next": local_path(next_path), "token": session.token}
    response = render(request, "web/login.html", None, variables, status)
    write_session(response, context, session)
    return response

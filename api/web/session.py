"""Sessions of the web pages: a signed cookie with the id of an API key, whose grant is read again on every request."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from api.context import ApiContext, Context
from api.problems import Problem, scope_problem
from infra.store.keys import grant_of_key
from pipeline.domain.api_key import Grant, Scope
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

COOKIE = "rayon_session"
MAX_FORM_FIELD_LENGTH = 4_000_000


@dataclass(frozen=True, slots=True)
class PageSession:
    """A session: its CSRF token, and the id of the API key that signed in (None before the login)."""

    token: str
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class SignedInVisitor:
    """A session whose API key is still valid, and the grant of the key."""

    session: PageSession
    grant: Grant

    @property
    def may_submit(self) -> bool:
        """Whether the key may submit listings and review them."""
        return self.grant.allows(Scope.SUBMIT)

    @property
    def is_admin(self) -> bool:
        """Whether the key may promote, replay and import."""
        return self.grant.allows(Scope.ADMIN)


def new_session(key_id: int | None = None) -> PageSession:
    """A session with a new CSRF token, so that a login never keeps the token used before it."""
    return PageSession(secrets.token_urlsafe(24), key_id)


def read_session(request: Request, context: ApiContext) -> PageSession | None:
    """The session in the cookie; None if there is no cookie, or if it is forged or expired."""
    try:
        values: Any = _signer(context).loads(request.cookies.get(COOKIE, ""), max_age=_max_age_seconds(context))
        return PageSession(str(values["token"]), values["key"])
    except (BadData, KeyError, TypeError):
        return None


def write_session(response: Response, context: ApiContext, session: PageSession) -> None:
    """Set the session cookie: HttpOnly, SameSite=Lax, and Secure if the public URL is https."""
    response.set_cookie(
        COOKIE,
        str(_signer(context).dumps({"token": session.token, "key": session.key_id})),
        max_age=_max_age_seconds(context),
        httponly=True,
        samesite="lax",
        secure=context.settings.public_url.startswith("https://"),
    )


def require_sign_in(request: Request, context: Context) -> SignedInVisitor:
    """A dependency: the signed-in visitor; redirects to the login if the session or its key is no longer valid."""
    session = read_session(request, context)
    if session is not None and session.key_id is not None:
        with context.engine.connect() as connection:
            grant = grant_of_key(connection, session.key_id)
        if grant is not None and grant.allows(Scope.READ):
            return SignedInVisitor(session, grant)
    requested = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    location = f"/login?next={quote(requested)}" if request.method == "GET" and requested != "/" else "/login"
    raise Problem(HTTPStatus.SEE_OTHER, Reason(ReasonCode.KEY_MISSING), {"Location": location})


Visitor = Annotated[SignedInVisitor, Depends(require_sign_in)]


def require_admin(visitor: SignedInVisitor) -> None:
    """Raise 403 for a key without the scope ``admin``."""
    if not visitor.is_admin:
        raise scope_problem(Scope.ADMIN)


async def posted_form(request: Request, context: Context) -> dict[str, Any]:
    """A dependency: the fields of a submitted form; 403 if its CSRF token is not that of the session.

    A photo is an UploadFile, which is closed at the end of the request.
    """
    form = await request.form(max_files=1, max_fields=20, max_part_size=MAX_FORM_FIELD_LENGTH)
    session = read_session(request, context)
    if session is None or not hmac.compare_digest(str(form.get("token", "")).encode(), session.token.encode()):
        raise Problem(HTTPStatus.FORBIDDEN, Reason(ReasonCode.FORM_EXPIRED))
    return {name: value.replace("\x00", "") if isinstance(value, str) else value for name, value in form.items()}


PostedForm = Annotated[dict[str, Any], Depends(posted_form)]


def _signer(context: ApiContext) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(context.settings.secret_key, salt="rayon-pages")


def _max_age_seconds(context: ApiContext) -> int:
    return context.settings.session_hours * 3600

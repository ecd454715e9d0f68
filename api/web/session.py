"""Who looks at the pages: a signed cookie that names an API key, asked for anew at every request."""

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
class Visit:
    """A session: its token against forged forms, and the key that signed in (None before the login)."""

    token: str
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A visit whose key is still good, and what the key allows."""

    visit: Visit
    grant: Grant

    @property
    def may_submit(self) -> bool:
        """Whether it may try listings and review."""
        return self.grant.allows(Scope.SUBMIT)

    @property
    def is_admin(self) -> bool:
        """Whether it may promote, replay and import."""
        return self.grant.allows(Scope.ADMIN)


def new_visit(key_id: int | None = None) -> Visit:
    """A fresh session with a token of its own, so that a login never keeps the token of before."""
    return Visit(secrets.token_urlsafe(24), key_id)


def read_visit(request: Request, context: ApiContext) -> Visit | None:
    """The session of the cookie; None when there is none, or when it is forged or too old."""
    try:
        found: Any = _signer(context).loads(request.cookies.get(COOKIE, ""), max_age=_seconds(context))
        return Visit(str(found["token"]), found["key"])
    except (BadData, KeyError, TypeError):
        return None


def write_visit(response: Response, context: ApiContext, visit: Visit) -> None:
    """Set the cookie: unreadable for scripts, not sent along from other sites, over TLS only where there is TLS."""
    response.set_cookie(
        COOKIE,
        str(_signer(context).dumps({"token": visit.token, "key": visit.key_id})),
        max_age=_seconds(context),
        httponly=True,
        samesite="lax",
        secure=context.settings.public_url.startswith("https://"),
    )


def signed_in(request: Request, context: Context) -> SignedIn:
    """The visitor, or a redirect to the login: no session, a session that expired, a key revoked meanwhile."""
    visit = read_visit(request, context)
    if visit is not None and visit.key_id is not None:
        with context.engine.connect() as connection:
            grant = grant_of_key(connection, visit.key_id)
        if grant is not None and grant.allows(Scope.READ):
            return SignedIn(visit, grant)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    where = f"/login?next={quote(asked)}" if request.method == "GET" and asked != "/" else "/login"
    raise Problem(HTTPStatus.SEE_OTHER, Reason(ReasonCode.KEY_MISSING), {"Location": where})


Visitor = Annotated[SignedIn, Depends(signed_in)]


def require_admin(visitor: SignedIn) -> None:
    """403 for a key without the scope ``admin``."""
    if not visitor.is_admin:
        raise scope_problem(Scope.ADMIN)


async def posted_form(request: Request, context: Context) -> dict[str, Any]:
    """The fields of a form of ours; 403 for one that another site forged.

    A photo is an UploadFile, which the request closes at its end.
    """
    form = await request.form(max_files=1, max_fields=20, max_part_size=MAX_FORM_FIELD_LENGTH)
    visit = read_visit(request, context)
    if visit is None or not hmac.compare_digest(str(form.get("token", "")).encode(), visit.token.encode()):
        raise Problem(HTTPStatus.FORBIDDEN, Reason(ReasonCode.FORM_EXPIRED))
    return {name: value.replace("\x00", "") if isinstance(value, str) else value for name, value in form.items()}


PostedForm = Annotated[dict[str, Any], Depends(posted_form)]


def _signer(context: ApiContext) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(context.settings.secret_key, salt="rayon-pages")


def _seconds(context: ApiContext) -> int:
    return context.settings.session_hours * 3600

"""Authorisation by bearer keys: route dependencies that check the scopes and sources of a key."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.context import ApiContext, Context
from api.problems import Problem, scope_problem
from infra.store.keys import find_grant
from infra.store.listings.queries import find_listing
from infra.store.sources import find_source
from pipeline.domain.api_key import PREFIX, Grant, Scope
from pipeline.domain.errors import NotFound
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.steps.source_registration import find_or_add_source

bearer_scheme = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer rk_…`")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="rayon"'}


def current_grant(
    context: Context, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)]
) -> Grant:
    """The grant of this request's API key; 401 if it is missing, unknown or revoked."""
    if credentials is None or not credentials.credentials.startswith(PREFIX):
        raise Problem(HTTPStatus.UNAUTHORIZED, Reason(ReasonCode.KEY_MISSING), CHALLENGE)
    with context.engine.connect() as connection:
        grant = find_grant(connection, credentials.credentials)
    if grant is None:
        raise Problem(HTTPStatus.UNAUTHORIZED, Reason(ReasonCode.KEY_UNKNOWN), CHALLENGE)
    return grant


class RequireScope:
    """A dependency: the grant of the key, which must have this scope; 403 otherwise."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __call__(self, grant: Annotated[Grant, Depends(current_grant)]) -> Grant:
        """Return the grant, or raise a 403 that names the missing scope."""
        if not grant.allows(self._scope):
            raise scope_problem(self._scope)
        return grant


Submitter = Annotated[Grant, Depends(RequireScope(Scope.SUBMIT))]
Reader = Annotated[Grant, Depends(RequireScope(Scope.READ))]
Admin = Annotated[Grant, Depends(RequireScope(Scope.ADMIN))]


def source_for(context: ApiContext, grant: Grant, name: str) -> Source:
    """The source of this name; added if it does not exist and the key covers every source.

    Raises NotFound for a source the key is not bound to, whether it exists or not.
    """
    if grant.source_ids is None:
        return find_or_add_source(context.units, name)
    with context.engine.connect() as connection:
        source = find_source(connection, name)
    if source is None or not grant.covers(source.id):
        raise NotFound(Reason.of(ReasonCode.SOURCE_NOT_FOUND, name=name[:100]))
    return source


def require_listing(context: ApiContext, grant: Grant, listing_id: int) -> None:
    """Raise NotFound unless the listing exists and belongs to a source of this key."""
    with context.engine.connect() as connection:
        if find_listing(connection, listing_id, grant.source_ids) is None:
            raise NotFound(Reason.of(ReasonCode.LISTING_NOT_FOUND, id=listing_id))

"""A form to try a name, a description and a photo: it posts a listing and leads to its page."""

from __future__ import annotations

import mimetypes
import uuid
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.context import ApiContext, Context
from api.listings.schemas import PostedListing, uploads_of
from api.problems import Problem
from api.web.rendering import render
from api.web.session import PostedForm, SignedIn, Visitor
from infra.safe_fetch.image_check import check_image
from infra.store.sources import SourceChoice, list_sources
from pipeline.domain.api_key import Scope
from pipeline.domain.errors import BadImage, InvalidInput, StorageUnavailable
from pipeline.domain.job import Priority
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.intake import accept

router = APIRouter()
NO_SCOPE = Reason.of(ReasonCode.SCOPE_NEEDED, scope=Scope.SUBMIT.value)


@router.get("/try")
def show_form(request: Request, context: Context, visitor: Visitor) -> Response:
    """The empty form."""
    return _form(request, context, visitor, {}, None, HTTPStatus.OK)


@router.post("/try")
async def try_listing(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Post the listing with interactive priority; on a mistake show the form again, filled in, with the problem."""
    photo = form.get("photo")
    content: bytes | None = None
    # A browser sends an unnamed empty file when none was chosen.
    if isinstance(photo, UploadFile) and photo.filename:
        content = await photo.read(context.settings.upload_limit + 1)
    return await run_in_threadpool(_try, request, context, visitor, form, content)


def _try(
    request: Request, context: ApiContext, visitor: SignedIn, form: dict[str, Any], photo: bytes | None
) -> Response:
    if not visitor.may_submit:
        raise Problem(HTTPStatus.FORBIDDEN, NO_SCOPE)
    given = {field: str(form.get(field, "")) for field in ("source", "name", "description")}
    try:
        listing_id = _post(context, visitor, given, photo)
    except ValidationError as error:
        problem = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
        return _form(request, context, visitor, given, problem, HTTPStatus.UNPROCESSABLE_ENTITY)
    except (InvalidInput, BadImage) as error:
        return _form(request, context, visitor, given, reason_of(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    except StorageUnavailable:
        not_storable = Reason(ReasonCode.PHOTO_NOT_STORABLE)
        return _form(request, context, visitor, given, not_storable, HTTPStatus.SERVICE_UNAVAILABLE)
    except Problem as error:
        return _form(request, context, visitor, given, error.reason, error.status_code)
    return RedirectResponse(f"/listings/{listing_id}", HTTPStatus.SEE_OTHER)


def _post(context: ApiContext, visitor: SignedIn, given: dict[str, str], photo: bytes | None) -> int:
    with context.engine.connect() as connection:
        sources = {source.name: source for source in list_sources(connection, visitor.grant.source_ids)}
    source = sources.get(given["source"])
    if source is None:
        raise InvalidInput(Reason(ReasonCode.CHOOSE_SOURCE))
    name = uuid.uuid4().hex[:12]
    uploads = uploads_of(visitor.grant)
    key, kind = None, ""
    if photo is not None:
        if len(photo) > context.settings.upload_limit:
            limit = context.settings.upload_limit
            raise BadImage(Reason.of(ReasonCode.PHOTO_TOO_LARGE, size=len(photo), limit=limit))
        kind = check_image(photo, context.settings.upload_limit, context.settings.fetch_pixels)
        key = f"{uploads}try-{name}{mimetypes.guess_extension(kind) or ''}"
    posted = PostedListing(
        source=source.name,
        external_id=f"try-{name}",
        name=given["name"],
        description=given["description"],
        images=[key] if key else [],
    )
    context.backpressure.check(Priority.INTERACTIVE)
    if photo is not None and key is not None:
        context.storage.put(key, photo, kind)
    return accept(context.units, source.id, [posted.submission(uploads)], Priority.INTERACTIVE)[0].listing_id


def _form(
    request: Request,
    context: ApiContext,
    visitor: SignedIn,
    given: dict[str, str],
    problem: Reason | str | None,
    status: int,
) -> Response:
    with context.engine.connect() as connection:
        sources = list_sources(connection, visitor.grant.source_ids)
    variables = {
        "sources": sorted(sources, key=_models_first),
        "given": given,
        "problem": problem,
        "no_scope": None if visitor.may_submit else NO_SCOPE,
        "upload_limit": context.settings.upload_limit,
    }
    return render(request, "listings/try.html", visitor, variables, status)


def _models_first(source: SourceChoice) -> tuple[bool, str]:
    return source.model is None, source.name

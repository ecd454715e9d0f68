"""The page to try a listing: a form that posts a name, a description and a photo, then redirects to the listing."""

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
from api.listings.schemas import PostedListing, upload_prefix_of
from api.problems import Problem
from api.web.rendering import render
from api.web.session import PostedForm, SignedInVisitor, Visitor
from infra.safe_fetch.image_check import check_image
from infra.store.sources import SourceChoice, list_sources
from pipeline.domain.api_key import Scope
from pipeline.domain.category_notation import RECOGNISED
from pipeline.domain.errors import BadImage, InvalidInput, StorageUnavailable
from pipeline.domain.job import Priority
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.intake import accept

router = APIRouter()
SUBMIT_SCOPE_NEEDED = Reason.of(ReasonCode.SCOPE_NEEDED, scope=Scope.SUBMIT.value)


@router.get("/try")
def show_form(request: Request, context: Context, visitor: Visitor) -> Response:
    """The empty form."""
    return _render_form(request, context, visitor, {}, None, HTTPStatus.OK)


@router.post("/try")
async def try_listing(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Post the listing with interactive priority; on an error show the form again, filled in, with the problem."""
    photo = form.get("photo")
    content: bytes | None = None
    # Browsers send an empty file without a name if none was chosen.
    if isinstance(photo, UploadFile) and photo.filename:
        content = await photo.read(context.settings.upload_limit + 1)
    return await run_in_threadpool(_submit_or_show_form, request, context, visitor, form, content)


def _submit_or_show_form(
    request: Request, context: ApiContext, visitor: SignedInVisitor, form: dict[str, Any], photo: bytes | None
) -> Response:
    if not visitor.may_submit:
        raise Problem(HTTPStatus.FORBIDDEN, SUBMIT_SCOPE_NEEDED)
    form_values = {field: str(form.get(field, "")) for field in ("source", "name", "description")}
    try:
        listing_id = _submit(context, visitor, form_values, photo)
    except ValidationError as error:
        problem = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
        return _render_form(request, context, visitor, form_values, problem, HTTPStatus.UNPROCESSABLE_ENTITY)
    except (InvalidInput, BadImage) as error:
        return _render_form(request, context, visitor, form_values, reason_of(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    except StorageUnavailable:
        problem_reason = Reason(ReasonCode.PHOTO_NOT_STORABLE)
        return _render_form(request, context, visitor, form_values, problem_reason, HTTPStatus.SERVICE_UNAVAILABLE)
    except Problem as error:
        return _render_form(request, context, visitor, form_values, error.reason, error.status_code)
    return RedirectResponse(f"/listings/{listing_id}", HTTPStatus.SEE_OTHER)


def _submit(context: ApiContext, visitor: SignedInVisitor, form_values: dict[str, str], photo: bytes | None) -> int:
    with context.engine.connect() as connection:
        sources = {source.name: source for source in list_sources(connection, visitor.grant.source_ids)}
    source = sources.get(form_values["source"])
    if source is None:
        raise InvalidInput(Reason(ReasonCode.CHOOSE_SOURCE))
    random_name = uuid.uuid4().hex[:12]
    upload_prefix = upload_prefix_of(visitor.grant)
    key, media_type = None, ""
    if photo is not None:
        if len(photo) > context.settings.upload_limit:
            max_bytes = context.settings.upload_limit
            raise BadImage(Reason.of(ReasonCode.PHOTO_TOO_LARGE, size=len(photo), limit=max_bytes))
        media_type = check_image(photo, context.settings.upload_limit, context.settings.fetch_pixels)
        key = f"{upload_prefix}try-{random_name}{mimetypes.guess_extension(media_type) or ''}"
    posted = PostedListing(
        source=source.name,
        external_id=f"try-{random_name}",
        name=form_values["name"],
        description=form_values["description"],
        images=[key] if key else [],
    )
    context.backpressure.check(Priority.INTERACTIVE)
    if photo is not None and key is not None:
        context.storage.put(key, photo, media_type)
    submission = posted.submission(RECOGNISED)
    return accept(context.units, source.id, [submission], Priority.INTERACTIVE)[0].listing_id


def _render_form(
    request: Request,
    context: ApiContext,
    visitor: SignedInVisitor,
    form_values: dict[str, str],
    problem: Reason | str | None,
    status: int,
) -> Response:
    with context.engine.connect() as connection:
        sources = list_sources(connection, visitor.grant.source_ids)
    variables = {
        "sources": sorted(sources, key=_sources_with_model_first),
        "form_values": form_values,
        "problem": problem,
        "missing_scope": None if visitor.may_submit else SUBMIT_SCOPE_NEEDED,
        "upload_limit": context.settings.upload_limit,
    }
    return render(request, "listings/try.html", visitor, variables, status)


def _sources_with_model_first(source: SourceChoice) -> tuple[bool, str]:
    return source.model is None, source.name

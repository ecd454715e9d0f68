"""Pages of taxonomies: the list with the form to import categories, and the tree of one with counts of labels."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.context import ApiContext, Context
from api.pagination import cursor_after, id_of
from api.parameters import Words
from api.taxonomies.uploads import read_upload
from api.web.rendering import render
from api.web.session import MAX_FORM_FIELD_LENGTH, PostedForm, SignedInVisitor, Visitor, require_admin
from infra.store.taxonomies.queries import find_categories, find_taxonomy_view, list_taxonomies
from pipeline.domain.category import SEPARATOR
from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import NAME_LIMIT
from pipeline.steps.taxonomies import ImportedTaxonomy, import_taxonomy

router = APIRouter()
PAGE_SIZE = 200
SHOWN_CHANGES = 12
MAX_UPLOAD_BYTES = 64_000_000
CursorText = Annotated[str, Query()]


@router.get("/taxonomies")
def show_taxonomies(request: Request, context: Context, visitor: Visitor, taxonomy: Words = "") -> Response:
    """The taxonomies, and the form to import categories (into ``taxonomy``)."""
    return _list_page(request, context, visitor, {"taxonomy": taxonomy})


@router.post("/taxonomies")
async def import_categories(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Show what an uploaded file would change, or import it; a problem is shown with the form."""
    require_admin(visitor)
    uploaded = form.get("file")
    content, filename = b"", str(form.get("filename", ""))
    if isinstance(uploaded, UploadFile) and uploaded.filename:
        content, filename = await uploaded.read(MAX_UPLOAD_BYTES + 1), uploaded.filename
    return await run_in_threadpool(_preview_or_import, request, context, visitor, form, content, filename)


@router.get("/taxonomies/categories")
def show_categories(
    request: Request,
    context: Context,
    visitor: Visitor,
    taxonomy: Words = "",
    under: Words = "",
    search: Words = "",
    cursor: CursorText = "",
) -> Response:
    """The categories of a taxonomy as a tree, those below ``under`` or found by ``search``."""
    with context.engine.connect() as connection:
        view = find_taxonomy_view(connection, taxonomy, visitor.grant.source_ids)
        found = find_categories(
            connection, view.id, words=search, under=under, after=id_of(cursor), limit=PAGE_SIZE + 1
        )
        labelled = context.label_counts.counts_of(connection, view.id)
    totals = _with_descendants(labelled)
    parts = under.split(SEPARATOR) if under else []
    variables = {
        "taxonomy": view,
        "categories": [(c, labelled.get(c.path, 0), totals.get(c.path, 0)) for c in found[:PAGE_SIZE]],
        "labelled": sum(labelled.values()),
        "under": [(name, SEPARATOR.join(parts[: depth + 1])) for depth, name in enumerate(parts)],
        "top": len(parts),
        "search": search,
        "more": cursor_after(found, PAGE_SIZE),
        "link_to": lambda **values: "/taxonomies/categories?" + urlencode({"taxonomy": view.name, **values}),
    }
    return render(request, "taxonomies/tree.html", visitor, variables)


def _preview_or_import(
    request: Request,
    context: ApiContext,
    visitor: SignedInVisitor,
    form: Mapping[str, Any],
    content: bytes,
    filename: str,
) -> Response:
    name = " ".join(str(form.get("taxonomy", "")).split())[:NAME_LIMIT]
    form_values: dict[str, Any] = {"taxonomy": name, "filename": filename}
    dry_run = form.get("do") != "import"
    try:
        content = content or _unpacked(str(form.get("content", "")))
        if not content:
            raise InvalidInput(Reason(ReasonCode.CHOOSE_FILE))
        if len(content) > MAX_UPLOAD_BYTES:
            raise InvalidInput(Reason.of(ReasonCode.BODY_TOO_LARGE, limit=MAX_UPLOAD_BYTES))
        name = name or filename.rpartition("/")[2].partition(".")[0][:NAME_LIMIT]
        listed = read_upload(content, filename)
        result = import_taxonomy(context.units, name, listed, visitor.grant.name, dry_run=dry_run)
    except InvalidInput as error:
        return _list_page(request, context, visitor, form_values | {"problem": reason_of(error)})
    if not dry_run:
        return RedirectResponse(f"/taxonomies/categories?{urlencode({'taxonomy': result.name})}", HTTPStatus.SEE_OTHER)
    packed = base64.b64encode(zlib.compress(content)).decode()
    # A file that is too large for a form has to be chosen again.
    form_values |= {"taxonomy": name, "content": packed if len(packed) < MAX_FORM_FIELD_LENGTH else ""}
    return _list_page(request, context, visitor, form_values, result)


def _list_page(
    request: Request,
    context: ApiContext,
    visitor: SignedInVisitor,
    form_values: Mapping[str, Any],
    preview: ImportedTaxonomy | None = None,
) -> Response:
    with context.engine.connect() as connection:
        views = list_taxonomies(connection, visitor.grant.source_ids)
    variables: dict[str, Any] = {"taxonomies": views, "form_values": form_values, "preview": preview}
    if preview is not None:
        changes = preview.changes
        variables["changes"] = [
            ("added", [entry.path for entry in changes.added[:SHOWN_CHANGES]], len(changes.added)),
            (
                "renamed",
                [f"{old} → {new}" for old, new in changes.renamed.items()][:SHOWN_CHANGES],
                len(changes.renamed),
            ),
            ("updated", [entry.path for entry in changes.updated[:SHOWN_CHANGES]], len(changes.updated)),
        ]
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form_values.get("problem") else HTTPStatus.OK
    return render(request, "taxonomies/list.html", visitor, variables, status)


def _unpacked(packed: str) -> bytes:
    """The file that the preview packed into the form; empty if there is none."""
    if not packed:
        return b""
    try:
        stream = zlib.decompressobj()
        unpacked = stream.decompress(base64.b64decode(packed, validate=True), MAX_UPLOAD_BYTES + 1)
        if not stream.eof and len(unpacked) <= MAX_UPLOAD_BYTES:
            raise ValueError("the packed file is cut off")
    except (zlib.error, binascii.Error, ValueError) as error:
        raise InvalidInput(Reason(ReasonCode.CHOOSE_FILE)) from error
    return unpacked


def _with_descendants(labelled: Mapping[str, int]) -> dict[str, int]:
    """The numbers of labelled listings by path, each with those of the categories below it."""
    totals: dict[str, int] = {}
    for path, number in labelled.items():
        parts = path.split(SEPARATOR)
        for depth in range(1, len(parts) + 1):
            ancestor = SEPARATOR.join(parts[:depth])
            totals[ancestor] = totals.get(ancestor, 0) + number
    return totals

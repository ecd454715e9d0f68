"""Uploads: a signed address for one photo and, when the storage is a folder, the endpoint that receives it."""

from __future__ import annotations

import tempfile
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api.auth import Submitter
from api.context import Context
from api.listings.schemas import uploads_of
from api.problems import Problem
from infra.storage.filesystem import FilesystemStorage
from infra.storage.upload_signing import PutClaims
from pipeline.domain.errors import InvalidInput, NotFound

router = APIRouter(prefix="/v1", tags=["uploads"])
ImageType = Literal["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/avif"]


class UploadRequest(BaseModel):
    """The photo to upload: its media type and its exact size in bytes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"content_type": "image/jpeg", "size": 48213}]}
    )

    content_type: ImageType
    size: Annotated[int, Field(ge=1)]


class UploadResponse(BaseModel):
    """PUT the bytes to ``url`` with exactly ``headers``; then name ``key`` among the images of a listing."""

    key: str
    url: str
    headers: dict[str, str]
    expires_in: int


@router.post("/uploads", status_code=HTTPStatus.CREATED, response_model=UploadResponse)
def offer_upload(requested: UploadRequest, context: Context, grant: Submitter) -> UploadResponse:
    """A signed address for one photo of exactly this type and size."""
    limit = context.settings.upload_limit
    if requested.size > limit:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a photo has at most {limit:,} bytes; this one has {requested.size:,}"
        )
    key = f"{uploads_of(grant)}{uuid.uuid4().hex}"
    signed = context.storage.presign_put(key, requested.content_type, requested.size, context.settings.upload_expires)
    return UploadResponse(key=key, url=signed.url, headers=dict(signed.headers), expires_in=signed.expires_in)


@router.put("/objects/{key:path}", status_code=HTTPStatus.CREATED)
async def receive_upload(key: str, request: Request, context: Context) -> dict[str, str | int]:
    """Receive the body of a signed upload; the signature authorises it, no API key is needed.

    403 when the address is forged, expired or of another key; 413 as soon as more arrives than was signed for.
    """
    storage = context.storage
    if not isinstance(storage, FilesystemStorage):
        raise NotFound("uploads go directly to the storage; use the address that POST /v1/uploads returns")
    try:
        claims = storage.verify_put(key, dict(request.query_params))
    except InvalidInput as error:
        raise Problem(HTTPStatus.FORBIDDEN, str(error)) from error
    with tempfile.TemporaryDirectory(prefix="rayon-upload-") as folder:
        path = Path(folder) / "body"
        size = await _receive(request, claims, path)
        claims.check_body(request.headers.get("content-type", ""), size)
        await run_in_threadpool(storage.put_file, key, path, claims.content_type)
    return {"key": key, "size": size}


async def _receive(request: Request, claims: PutClaims, path: Path) -> int:
    """Write the body to a file; returns its size."""
    size = 0
    with path.open("wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > claims.size:
                raise Problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"this upload was signed for exactly {claims.size} bytes"
                )
            file.write(piece)
    return size

"""Photo uploads: presigned URLs and, if the storage is a folder, the endpoint that receives the photos."""

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
from api.listings.schemas import upload_prefix_of
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
    """PUT the bytes to ``url`` with exactly these ``headers``; then list ``key`` among the images of a listing."""

    key: str
    url: str
    headers: dict[str, str]
    expires_in: int


@router.post("/uploads", status_code=HTTPStatus.CREATED, response_model=UploadResponse)
def offer_upload(requested: UploadRequest, context: Context, grant: Submitter) -> UploadResponse:
    """Create a presigned URL for one photo of exactly this type and size."""
    max_bytes = context.settings.upload_limit
    if requested.size > max_bytes:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a photo may have at most {max_bytes:,} bytes; this one has {requested.size:,}",
        )
    key = f"{upload_prefix_of(grant)}{uuid.uuid4().hex}"
    presigned = context.storage.presign_put(
        key, requested.content_type, requested.size, context.settings.upload_expires
    )
    return UploadResponse(key=key, url=presigned.url, headers=dict(presigned.headers), expires_in=presigned.expires_in)


@router.put("/objects/{key:path}", status_code=HTTPStatus.CREATED)
async def receive_upload(key: str, request: Request, context: Context) -> dict[str, str | int]:
    """Receive an upload to a presigned URL; its signature authorises it, so no API key is needed.

    403 if the URL is forged, expired, or issued for another key; 413 as soon as the body exceeds the signed size.
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
    """Write the body to a file; returns its size in bytes."""
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > claims.size:
                raise Problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"this upload was signed for exactly {claims.size} bytes"
                )
            file.write(chunk)
    return size

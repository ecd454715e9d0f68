"""Object storage in a bucket of any S3 server, with boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.storage.storage_interface import check_key
from pipeline.domain.errors import InvalidInput, NotFound, StorageUnavailable
from pipeline.ports.services import PresignedPut, StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOT_FOUND_CODES = {"NoSuchKey", "404", "NotFound"}


def connect_s3(endpoint: str | None, region: str | None) -> S3Client:
    """A client with short timeouts (5 s to connect, 30 s to read) and 4 attempts; credentials as AWS tools find them.

    With an ``endpoint``, the bucket goes in the path: small servers have no wildcard host names.
    """
    config = Config(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 4},
        s3={"addressing_style": "path" if endpoint else "auto"},
        # Servers other than Amazon's reject the newer trailing checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=16,
    )
    return boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=region or "us-east-1", config=config)


class S3Storage:
    """Implements ``FileTransferStorage`` under ``prefix`` of a bucket.

    ``signing_client`` signs upload URLs, if clients reach the server by another host name than this process
    (public rather than internal).
    """

    def __init__(self, bucket: str, prefix: str, client: S3Client, signing_client: S3Client | None = None) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._client = client
        self._signing_client = signing_client or client

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Store an object; S3 replaces objects atomically."""
        with self._storage_errors(key):
            self._client.put_object(
                Bucket=self._bucket, Key=self._full_key(key), Body=content, ContentType=content_type
            )

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Like ``put``, from a file that is read in chunks (a multipart upload when it is large)."""
        with self._storage_errors(key):
            self._client.upload_file(
                str(path), self._bucket, self._full_key(key), ExtraArgs={"ContentType": content_type}
            )

    def get(self, key: str, limit: int | None = None) -> bytes:
        """The object's bytes. Raises NotFound, or InvalidInput when there are more than ``limit``."""
        with self._storage_errors(key):
            response = self._client.get_object(Bucket=self._bucket, Key=self._full_key(key))
            with response["Body"] as body:
                size = response["ContentLength"]
                if limit is not None and size > limit:
                    raise InvalidInput(f"the object {key} has {size} bytes, more than the {limit} allowed")
                return body.read()

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to ``path`` in chunks. Raises NotFound."""
        with self._storage_errors(key):
            self._client.download_file(self._bucket, self._full_key(key), str(path))

    def stat(self, key: str) -> StoredObject | None:
        """Size and type of the object, or None when there is none."""
        try:
            with self._storage_errors(key):
                response = self._client.head_object(Bucket=self._bucket, Key=self._full_key(key))
                return StoredObject(key, response["ContentLength"], response["ContentType"])
        except NotFound:
            return None

    def delete(self, key: str) -> None:
        """Delete the object; a key that does not exist is no error."""
        with self._storage_errors(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._full_key(key))

    def keys(self, prefix: str) -> Iterator[StoredObject]:
        """All objects under a prefix, by key; takes one more request per object, since a listing has no media types."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        with self._storage_errors(prefix):
            for page in pages:
                for entry in page.get("Contents", []):
                    stored_object = self.stat(entry["Key"].removeprefix(self._prefix))
                    if stored_object is not None:
                        yield stored_object

    def presign_put(self, key: str, content_type: str, size: int, expires_in: int) -> PresignedPut:
        """A presigned PUT: the server rejects another type or size, and any request after ``expires_in`` seconds."""
        with self._storage_errors(key):
            url = self._signing_client.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": self._full_key(key),
                    "ContentType": content_type,
                    "ContentLength": size,
                },
                ExpiresIn=expires_in,
            )
        return PresignedPut(url, {"Content-Type": content_type, "Content-Length": str(size)}, expires_in)

    def ping(self) -> None:
        """Raise StorageUnavailable unless the bucket exists and answers."""
        try:
            with self._storage_errors("ping"):
                self._client.head_bucket(Bucket=self._bucket)
        except NotFound as error:
            raise StorageUnavailable(f"there is no bucket {self._bucket}; create it") from error

    def create_bucket(self) -> None:
        """Create the bucket unless it exists."""
        try:
            self.ping()
        except StorageUnavailable:
            with self._storage_errors(self._bucket):
                self._client.create_bucket(Bucket=self._bucket)

    def _full_key(self, key: str) -> str:
        return self._prefix + check_key(key)

    @contextmanager
    def _storage_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in NOT_FOUND_CODES:
                raise NotFound(f"there is no object {key}") from error
            raise StorageUnavailable(f"the bucket {self._bucket} refuses the request: {error}") from error
        except (BotoCoreError, Boto3Error) as error:
            raise StorageUnavailable(f"the bucket {self._bucket} does not answer: {error}") from error

"""Open the object storage that a URL names: ``file:///folder`` or ``s3://bucket/prefix?endpoint=http://host:port``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from infra.settings import Settings
from infra.storage.filesystem import FilesystemStorage
from infra.storage.storage_interface import FileTransferStorage
from pipeline.domain.errors import InvalidInput

SYNTAX_HINT = "write file:///absolute/folder or s3://bucket/prefix?endpoint=http://host:port&region=eu-west-3"
S3_OPTIONS = {"endpoint", "region", "public_endpoint"}


def storage_from_settings(settings: Settings) -> FileTransferStorage:
    """The storage that the settings name; by default the folder ``objects`` in RAYON_HOME."""
    url = settings.storage_url or (settings.home.absolute() / "objects").as_uri()
    return open_storage(url, public_url=settings.public_url, secret=settings.secret_key)


def open_storage(url: str, *, public_url: str, secret: str) -> FileTransferStorage:
    """The storage behind ``url``; no connection is made yet.

    S3 credentials come from the usual AWS environment; ``endpoint`` and ``region`` are optional, ``public_endpoint``
    is the host that clients upload to, if it differs. ``public_url`` and ``secret`` are for signed uploads to a folder.
    Raises InvalidInput, which explains the syntax, for any other URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path.strip("/") or parts.query:
            raise InvalidInput(f"the storage address {url!r} does not name a folder of this machine; {SYNTAX_HINT}")
        storage = FilesystemStorage(Path(unquote(parts.path)), public_url, secret)
        storage.delete_stale_temporary_files()
        return storage
    if parts.scheme == "s3":
        options = parse_qs(parts.query, keep_blank_values=True)
        if not parts.netloc or "@" in parts.netloc or set(options) - S3_OPTIONS:
            raise InvalidInput(f"the storage address must be a bucket with known options; {SYNTAX_HINT}")
        endpoint, region, public_endpoint = (
            options.get(name, [""])[0] or None for name in ("endpoint", "region", "public_endpoint")
        )
        for endpoint_url in (endpoint, public_endpoint):
            if not endpoint_url:
                continue
            if urlsplit(endpoint_url).scheme not in {"http", "https"} or not urlsplit(endpoint_url).hostname:
                raise InvalidInput(f"the endpoint {endpoint_url!r} is not an http(s) address; {SYNTAX_HINT}")
        # Imported only when needed: boto3 makes up a tenth of the code that a worker loads at startup.
        from infra.storage.s3 import S3Storage, connect_s3

        signing_client = connect_s3(public_endpoint, region) if public_endpoint else None
        return S3Storage(parts.netloc, unquote(parts.path), connect_s3(endpoint, region), signing_client)
    raise InvalidInput(f"{url.split('?')[0]!r} is not the address of a storage; {SYNTAX_HINT}")

"""Object storage in a folder, with the guarantees of an object store: atomic writes, media types, signed uploads."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from infra.storage.storage_interface import check_key
from infra.storage.upload_signing import PutClaims, PutSigner
from pipeline.domain.errors import InvalidInput, NotFound, StorageUnavailable
from pipeline.ports.services import PresignedPut, StoredObject

# An object is one file, so that its bytes and its media type change together: the bytes, then a trailer made of the
# media type, its length as one byte, and this magic number.
TRAILER_MAGIC = b"\x00RAYON1"
# quote() escapes "=", so the file of key "a" and the folder of key "a/b" do not collide.
FILE_SUFFIX = "="
STALE_AFTER_SECONDS = 3600.0
CHUNK_BYTES = 1 << 20


class FilesystemStorage:
    """Implements ``FileTransferStorage`` under ``root``; the api serves ``<public_url>/v1/objects/…``.

    ``secret`` signs upload URLs; all processes that sign or verify them share it.
    """

    def __init__(self, root: Path, public_url: str, secret: str) -> None:
        self._objects = root / "objects"
        self._temporary_folder = root / "unfinished"
        self._public_url = public_url.rstrip("/")
        self._signer = PutSigner(secret)

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Store atomically and durably: temporary file, fsync, rename."""
        with _storage_errors(key), self._new_object(key, content_type) as stream:
            stream.write(content)

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Like ``put``, from a file that is read in chunks."""
        with path.open("rb") as source, _storage_errors(key), self._new_object(key, content_type) as stream:
            shutil.copyfileobj(source, stream, CHUNK_BYTES)

    def get(self, key: str, limit: int | None = None) -> bytes:
        """The object's bytes. Raises NotFound, or InvalidInput when there are more than ``limit``."""
        with _storage_errors(key), self._path(key).open("rb") as stream:
            size, _ = _read_trailer(stream, key)
            if limit is not None and size > limit:
                raise InvalidInput(f"the object {key} has {size} bytes, more than the {limit} allowed")
            stream.seek(0)
            return stream.read(size)

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to ``path`` in chunks. Raises NotFound."""
        with _storage_errors(key), self._path(key).open("rb") as stream:
            remaining_bytes, _ = _read_trailer(stream, key)
            stream.seek(0)
            with path.open("wb") as target:
                while remaining_bytes and (chunk := stream.read(min(remaining_bytes, CHUNK_BYTES))):
                    target.write(chunk)
                    remaining_bytes -= len(chunk)

    def stat(self, key: str) -> StoredObject | None:
        """Size and type of the object, or None when there is none."""
        try:
            with _storage_errors(key), self._path(key).open("rb") as stream:
                size, content_type = _read_trailer(stream, key)
                return StoredObject(key, size, content_type)
        except NotFound:
            return None

    def delete(self, key: str) -> None:
        """Delete the object; a key that does not exist is no error."""
        with _storage_errors(key):
            self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[StoredObject]:
        """All objects under a prefix, ordered as S3 does: by code point of the whole key."""
        return self._walk(self._objects, "", prefix)

    def presign_put(self, key: str, content_type: str, size: int, expires_in: int) -> PresignedPut:
        """A presigned URL that accepts a body of exactly this type and size, for ``expires_in`` seconds."""
        token = self._signer.sign(PutClaims(check_key(key), content_type, size), expires_in)
        url = f"{self._public_url}/v1/objects/{quote(key)}?token={token}"
        return PresignedPut(url, {"Content-Type": content_type, "Content-Length": str(size)}, expires_in)

    def verify_put(self, key: str, query: Mapping[str, str]) -> PutClaims:
        """The claims of a presigned URL. Raises InvalidInput when it is forged, expired, or issued for another key."""
        return self._signer.verify(check_key(key), query)

    def ping(self) -> None:
        """Raise StorageUnavailable unless a file can be written here."""
        with _storage_errors("ping"):
            self._temporary_folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._temporary_folder) as probe:
                probe.write(b"ping")

    def delete_stale_temporary_files(self) -> int:
        """Delete the temporary files of processes that were killed during a write; return how many."""
        deleted = 0
        for path in self._temporary_folder.glob("*"):
            try:
                if path.stat().st_mtime < time.time() - STALE_AFTER_SECONDS:
                    path.unlink()
                    deleted += 1
            except FileNotFoundError:  # another process deletes them as well
                continue
        return deleted

    def _path(self, key: str) -> Path:
        return self._objects / (quote(check_key(key)) + FILE_SUFFIX)

    @contextmanager
    def _new_object(self, key: str, content_type: str) -> Iterator[BinaryIO]:
        target = self._path(key)
        encoded_type = content_type.encode()
        if len(encoded_type) > 255:
            raise InvalidInput("a media type has at most 255 bytes")
        self._temporary_folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._temporary_folder)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.write(encoded_type + bytes([len(encoded_type)]) + TRAILER_MAGIC)
                stream.flush()
                os.fsync(stream.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def _walk(self, folder: Path, folder_key: str, prefix: str) -> Iterator[StoredObject]:
        try:
            with os.scandir(folder) as entries:
                names = [
                    unquote(entry.name) + "/" if entry.is_dir() else unquote(entry.name[: -len(FILE_SUFFIX)])
                    for entry in entries
                ]
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageUnavailable(f"the storage folder cannot be listed: {error}") from error
        for name in sorted(names):
            key = folder_key + name
            if name.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(folder / quote(name[:-1]), key, prefix)
            elif key.startswith(prefix) and (stored_object := self.stat(key)) is not None:
                yield stored_object


@contextmanager
def _storage_errors(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"there is no object {key}") from error
    except OSError as error:
        raise StorageUnavailable(f"the storage folder cannot be used: {error}") from error


def _read_trailer(stream: BinaryIO, key: str) -> tuple[int, str]:
    """Size of the object in bytes, and its media type. Raises StorageUnavailable when the file is damaged."""
    end = stream.seek(0, os.SEEK_END)
    tail_size = min(end, 256 + len(TRAILER_MAGIC))
    stream.seek(end - tail_size)
    tail = stream.read(tail_size)
    if not tail.endswith(TRAILER_MAGIC) or len(tail) <= len(TRAILER_MAGIC):
        raise StorageUnavailable(f"the stored file of {key} is damaged: its end is missing")
    type_end = tail_size - len(TRAILER_MAGIC) - 1
    type_size = tail[type_end]
    return end - type_size - 1 - len(TRAILER_MAGIC), tail[type_end - type_size : type_end].decode()


def _sync_folder(folder: Path) -> None:
    # A rename is durable only once the folder has been synced.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

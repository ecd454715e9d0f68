"""Photos of catalogue rows: found in a folder, judged by their header, stored under their own key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.catalogue_files.photos import PhotoFolder
from infra.catalogue_files.record import CatalogueRow
from infra.photos.photo_store import image_key
from infra.safe_fetch.image_check import check_image
from pipeline.domain.errors import BadImage
from workers.bootstrap import WorkerContext

THREADS = 8
PHOTO_PIXELS = 120_000_000


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """The storage key of a row's photo, or why there is none (both None when the row names no file)."""

    key: str | None = None
    problem: str | None = None


class PhotoImport:
    """Brings the photos of rows into the storage; a dry one only computes their keys."""

    def __init__(self, context: WorkerContext, folder: Path | None, dry: bool) -> None:
        self._context, self._dry = context, dry
        self._folder = PhotoFolder(folder) if folder else None

    def bring(self, rows: list[CatalogueRow]) -> list[FoundPhoto]:
        """One answer a row, in order; StorageUnavailable when the storage does not answer."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self._bring, rows))

    def _bring(self, row: CatalogueRow) -> FoundPhoto:
        if row.content is None or not (row.photo or row.image_file):
            return FoundPhoto()
        if self._folder is None and not row.photo:
            return FoundPhoto(problem=f"the photo {row.image_file} was not looked for: no --images folder was given")
        try:
            settings = self._context.settings
            content = photo_of_row(self._folder, row, settings.fetch_bytes, settings.fetch_pixels)
            assert content is not None
        except BadImage as error:
            return FoundPhoto(problem=str(error))
        return FoundPhoto(image_key(content) if self._dry else self._context.photos.store(content).storage_key)


def photo_of_row(folder: PhotoFolder | None, row: CatalogueRow, limit: int, pixels: int = PHOTO_PIXELS) -> bytes | None:
    """The bytes of a row's photo: those that lie in the catalogue, else the file's in the folder; None without either.

    Raises BadImage as ``read_photo`` does, and for bytes that are no photo: equal ones would pass for one product's.
    """
    content = row.photo or (read_photo(folder, row.image_file, limit) if folder and row.image_file else None)
    if content is not None:
        check_image(content, limit, pixels)
    return content


def read_photo(folder: PhotoFolder, name: str, limit: int) -> bytes:
    """The bytes of a photo; BadImage, in plain words, when it is not there, unreadable or larger than ``limit``."""
    path = folder.find(name)
    if path is None:
        raise BadImage(f"the photo {name} is not in the folder")
    try:
        if path.stat().st_size > limit:
            raise BadImage(f"the photo {name} is too large: {path.stat().st_size} bytes, at most {limit}")
        return path.read_bytes()
    except OSError as error:
        raise BadImage(f"the photo {name} cannot be read: {error.strerror}") from error

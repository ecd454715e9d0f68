"""Photos of catalogue rows: in the catalogue itself, or files of a folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from infra.catalogue_files.rows import CatalogueRow
from infra.safe_fetch.image_check import check_image
from pipeline.domain.errors import BadImage, InvalidInput
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

MAX_PIXELS = 120_000_000


class PhotoFolder:
    """Photos by file name. The folder is listed once, at the first name that is not found as written."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InvalidInput(f"there is no folder {folder}; give the folder that holds the photos")
        self._folder = folder.resolve()

    def find(self, name: str | None) -> Path | None:
        """The file of that name, or None. Case may differ; a path is tried as it is, then by its last part.

        Nothing outside the folder is ever found: not through ``..``, an absolute path or a symbolic link.
        """
        if not name or "\x00" in name:
            return None
        relative = name.replace("\\", "/").strip()
        last = relative.rsplit("/", 1)[-1]
        return (
            self._inside(relative) or self._inside(last) or self._inside(self._by_lower_case.get(last.casefold(), ""))
        )

    def _inside(self, relative: str) -> Path | None:
        try:
            found = (self._folder / relative).resolve()
            inside = found.is_relative_to(self._folder) and found.is_file()
        except (OSError, ValueError, RuntimeError):  # a name too long for the file system, a loop of links
            return None
        return found if inside else None

    @cached_property
    def _by_lower_case(self) -> dict[str, str]:
        return {path.name.casefold(): path.name for path in sorted(self._folder.iterdir())}


def photo_of_row(folder: PhotoFolder | None, row: CatalogueRow, limit: int, pixels: int = MAX_PIXELS) -> bytes | None:
    """The bytes of a row's photo: those in the catalogue, else the file in the folder; None when it has none.

    Raises BadImage as ``read_photo`` does, and for bytes that are no picture.
    """
    content = row.photo or (read_photo(folder, row.image_file, limit) if folder and row.image_file else None)
    if content is not None:
        check_image(content, limit, pixels)
    return content


def read_photo(folder: PhotoFolder, name: str, limit: int) -> bytes:
    """The bytes of a photo; BadImage when it is missing, unreadable or larger than ``limit`` bytes."""
    path = folder.find(name)
    if path is None:
        raise BadImage(Reason.of(ReasonCode.PHOTO_NOT_IN_FOLDER, name=name))
    try:
        size = path.stat().st_size
        if size > limit:
            raise BadImage(Reason.of(ReasonCode.PHOTO_FILE_TOO_LARGE, name=name, size=size, limit=limit))
        return path.read_bytes()
    except OSError as error:
        raise BadImage(Reason.of(ReasonCode.PHOTO_FILE_UNREADABLE, name=name, error=str(error.strerror))) from error

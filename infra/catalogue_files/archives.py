"""Compressed catalogues: unpack a ``.gz`` or ``.zip`` file into a temporary folder that lasts as long as it is read."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from pipeline.domain.display_text import join_names
from pipeline.domain.errors import InvalidCatalogue

GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
MAX_BYTES = 20_000_000_000  # unpacked
CHUNK_BYTES = 1 << 20
TABLE_SUFFIXES = (
    *(".csv", ".tsv", ".tab", ".txt", ".json", ".ndjson", ".jsonl", ".xml", ".rss", ".atom", ".xlsx"),
    *(".parquet", ".gz"),
)
# What gzip and zipfile raise for a damaged file; a RuntimeError for one with a password or of an unknown method.
_ERRORS = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """The unpacked table; its folder is deleted with this object."""

    path: Path
    _folder: tempfile.TemporaryDirectory[str]


def is_archive(path: Path, start: bytes) -> bool:
    """Whether a file is compressed by gzip, or a zip archive that is no spreadsheet."""
    return start.startswith(GZIP_MAGIC) or (start.startswith(ZIP_MAGIC) and not is_spreadsheet(path))


def is_spreadsheet(path: Path) -> bool:
    """Whether a zip file is a workbook of Excel or LibreOffice."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist() and any(n.startswith("xl/") for n in archive.namelist())
    except _ERRORS:
        return False


def other_spreadsheet(start: bytes) -> str | None:
    """What a workbook is called that cannot be read, by the first bytes of its file; None for any other file."""
    if start.startswith(_OLE_MAGIC):
        return "a workbook of an old Excel (.xls), or another document of Office 97 to 2003"
    if start.startswith(ZIP_MAGIC) and _OPEN_DOCUMENT in start[:200]:
        return "a workbook of LibreOffice or OpenOffice (.ods)"
    if start.startswith(ZIP_MAGIC) and b"xl/workbook.bin" in start:
        return "a binary workbook of Excel (.xlsb)"
    return None


def unpack(path: Path) -> UnpackedFile:
    """Unpack the one table of an archive. InvalidCatalogue when it has none or several, is damaged, or is too large."""
    folder = tempfile.TemporaryDirectory(prefix="rayon-catalogue-")
    try:
        if _is_gzip(path):
            name = path.name.removesuffix(".gz") if path.name != ".gz" else "catalogue"
            target = Path(folder.name) / Path(name).name
            _copy(partial(gzip.GzipFile, path), target)
        else:
            with zipfile.ZipFile(path) as archive:
                member = _only_table(path, archive)
                target = Path(folder.name) / Path(member.filename).name
                _copy(partial(archive.open, member), target)
    except _ERRORS as error:
        raise InvalidCatalogue(f"{path} cannot be unpacked: {str(error) or 'it is damaged'}; send it again") from error
    return UnpackedFile(target, folder)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == GZIP_MAGIC


def _only_table(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [each for each in archive.infolist() if not each.is_dir() and not Path(each.filename).name.startswith(".")]
    files = [each for each in files if not each.filename.startswith("__MACOSX/")]
    tables = [each for each in files if each.filename.lower().endswith(TABLE_SUFFIXES)]
    if len(tables) == 1:
        return tables[0]
    names = join_names([each.filename for each in tables or files], 5) or "nothing"
    if not tables:
        raise InvalidCatalogue(f"{path} holds no catalogue, only {names}; a table in CSV, JSON, XML or XLSX is needed")
    raise InvalidCatalogue(f"{path} holds several tables: {names}; unpack it and import them one by one")


def _copy(open_source: Callable[[], IO[bytes] | gzip.GzipFile], target: Path) -> None:
    written = 0
    with open_source() as source, target.open("wb") as stream:
        while chunk := source.read(CHUNK_BYTES):
            written += len(chunk)
            if written > MAX_BYTES:
                raise InvalidCatalogue(f"{target.name} has more than {MAX_BYTES:,} bytes unpacked; split it first")
            if written % (256 * CHUNK_BYTES) == 0 and shutil.disk_usage(target.parent).free < 2 * CHUNK_BYTES:
                raise InvalidCatalogue(f"there is no room to unpack {target.name}; free some space on the disk")
            stream.write(chunk)

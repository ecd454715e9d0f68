"""Photos of catalogue rows: addresses, file names or bytes in a cell, and files in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from infra.catalogue_files.record import MAX_ADDRESS
from infra.catalogue_files.values import text_of
from pipeline.domain.errors import InvalidInput


class PhotoFolder:
    """Photos by file name. The folder is listed once, at the first name that is not found as written."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InvalidInput(f"there is no folder {folder}; give the folder that holds the photos")
        self._folder = folder.resolve()

    def find(self, name: str | None) -> Path | None:
        """The file of that name, or None. Case may differ; a path is tried as it is, then by its last part.

        Nothing outside the folder is ever found, not through ``..``, an absolute path or a symbolic link.
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


ADDRESS = re.compile(r"https?://", re.IGNORECASE)
NEXT_ADDRESS = re.compile(r"[,;|\s]+(?=https?://)", re.IGNORECASE)
KEYS = ("url", "src", "path")


def images_of(value: object) -> tuple[list[str], str | None]:
    """The http(s) addresses, and the first plain file name."""
    items = value if isinstance(value, list) else [value] if isinstance(value, dict) else _listed(_name_of(value))
    texts = [_name_of(next(map(v.get, filter(v.get, KEYS)), None) if isinstance(v, dict) else v) for v in items]
    if len(texts) == 1 and ADDRESS.match(texts[0]):
        texts = [part.strip() for part in NEXT_ADDRESS.split(texts[0])]
    addresses = [text for text in texts if ADDRESS.match(text)]
    files = [text for text in texts if text and "://" not in text]
    return list(dict.fromkeys(addresses)), files[0] if files else None


def photo_of(value: object) -> bytes | None:
    """The bytes of the first photo that lies in the cell itself: alone, in a list, or under the key ``bytes``."""
    for item in value if isinstance(value, list) else [value]:
        content = item.get("bytes") if isinstance(item, Mapping) else item
        if isinstance(content, bytes) and content and (isinstance(item, Mapping) or not _name_of(content)):
            return content
    return None


def _name_of(value: object) -> str:
    # Bytes are a name when nothing in them says that they are a picture.
    if isinstance(value, bytes) and (len(value) > MAX_ADDRESS or any(byte < 32 for byte in value)):
        return ""
    return text_of(value)


def _listed(text: str) -> list[object]:
    if text.startswith("["):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            return [text.strip('[]"')]
        return loaded if isinstance(loaded, list) else []
    return [text] if text else []

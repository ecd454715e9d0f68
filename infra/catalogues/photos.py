"""The photo of a row, looked for in a folder and nowhere else."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

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

"""Reads the daily changes of a database: an index lists one file per day of the last two weeks; oldest first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from infra.settings import Settings
from infra.sources.politeness import Progress
from infra.sources.product_file import LinePosition, OpenCopy, ProductFile, ProductFilePage, ReadingOptions
from infra.sources.published_file_copy import PublishedCopy
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import ProductPage, ProductQuery, SourceCursor, SourceProduct
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

FILE_NAME = re.compile(r"\w{1,60}_products_(\d{1,12})_(\d{1,12})\.json\.gz")
MAX_INDEX_BYTES = 10_000_000
MAX_TIMESTAMP = 253402300799  # the last second that datetime can represent


@dataclass(frozen=True, slots=True, order=True)
class ChangesFile:
    """A published file of the products that changed between ``begin`` and ``end`` (Unix time)."""

    end: int
    begin: int
    name: str


class _PageInFile(NamedTuple):
    page: ProductFilePage
    cursor: dict[str, Any]  # after the page, without "taken"


class DailyChanges:
    """Pages of the changes since the last run.

    A cursor is {"since", "file", "line", "byte", "taken"}: the Unix time up to which all changes have been read, the
    position in the file after it, and the number of products that the run has returned. The cursor for the next run has
    only "since"; a run without a cursor reads all published files. A cursor always stays valid: if files after it are
    no longer published, a row with a problem says so.
    """

    def __init__(self, database: ProductDatabase, settings: Settings, progress: Progress | None = None) -> None:
        self._database = database
        self._settings = settings
        self._progress = progress
        self._published_files: list[ChangesFile] | None = None
        self._open_copy = OpenCopy()
        self._expected_cursor: SourceCursor | None = None

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next products; ``next_start`` is always set. Raises what ``PublishedCopy.get`` raises."""
        if self._published_files is None or cursor is None or cursor != self._expected_cursor:
            self._open_copy.close(discard=False)
            self._published_files = self._read_index()
        position: dict[str, Any] = {"since": 0, **(cursor or {})}
        n_returned = int(position.pop("taken", 0))
        unread_files = [file for file in self._published_files if file.end > position["since"]]
        products: list[SourceProduct] = []
        file_share = 0.0
        if "taken" not in (cursor or {}):
            products += self._gap_rows(position["since"])
        if unread_files:
            page, position = self._next_page(
                unread_files[0], position, None if query.limit is None else query.limit - n_returned
            )
            products += page.products
            file_share = page.share
        n_returned += len(products)
        finished = position["since"] >= max((file.end for file in unread_files), default=0) or n_returned == query.limit
        if finished:
            self._open_copy.close(discard=True)
            self._published_files = None
        self._expected_cursor = None if finished else {**position, "taken": n_returned}
        return ProductPage(products, self._expected_cursor, None, self._share(unread_files, file_share), position)

    def _next_page(self, file: ChangesFile, position: dict[str, Any], remaining: int | None) -> _PageInFile:
        if self._open_copy.file is None:
            self._open_file(file, position, remaining)
        page = self._open_copy.page()
        if page.ended and page.damage is None:
            self._open_copy.close(discard=True)
            return _PageInFile(page, {"since": file.end})
        if page.damage is not None and not page.products:
            self._open_copy.close(discard=True)
            return _PageInFile(self._damage_page(file, page), {"since": file.end})
        position_in_file = {"file": file.name, "line": page.after.line, "byte": page.after.byte}
        return _PageInFile(page, {"since": position["since"], **position_in_file})

    def _open_file(self, file: ChangesFile, position: dict[str, Any], remaining: int | None) -> None:
        folder = self._database.changes.rpartition("/")[0]
        copy = PublishedCopy(f"{folder}/{file.name}", file.name, self._settings, self._progress)
        self._open_copy.copy = copy
        same_file = position.get("file") == file.name
        start = LinePosition(int(position["line"]), int(position["byte"])) if same_file else LinePosition()
        path = copy.get(refresh=False)
        languages = self._settings.source_language_codes()
        options = ReadingOptions(self._database, languages, self._settings.source_file_page)
        product_file = ProductFile(path, options, start, remaining)
        # A different file was published under the same name, which has not been seen so far: read it from the start.
        if not product_file.reached:
            product_file.close()
            product_file = ProductFile(path, options, None, remaining)
        self._open_copy.file = product_file

    def _read_index(self) -> list[ChangesFile]:
        """Download the index and return the published files, oldest first."""
        index_name = f"{self._database.name}-index.txt"
        copy = PublishedCopy(self._database.changes, index_name, self._settings, self._progress)
        with copy.get(refresh=True).open("rb") as file:
            lines = file.read(MAX_INDEX_BYTES).decode(errors="replace").splitlines()
        copy.discard()
        matches = (FILE_NAME.fullmatch(line.strip()) for line in lines)
        return sorted({ChangesFile(int(match[2]), int(match[1]), match[0]) for match in matches if match})

    def _gap_rows(self, since: int) -> list[SourceProduct]:
        """A row that says which changes since ``since`` are no longer published, if any."""
        first_begin = min((file.begin for file in self._published_files or ()), default=0)
        if not since or first_begin <= since:
            return []
        problem = Reason.of(
            ReasonCode.CHANGES_NOT_PUBLISHED, begin=_format_minute(since), end=_format_minute(first_begin)
        )
        return [SourceProduct(None, None, None, problem)]

    def _damage_page(self, file: ChangesFile, page: ProductFilePage) -> ProductFilePage:
        problem = Reason.of(ReasonCode.CHANGES_DAMAGED, file=file.name, line=page.after.line, error=str(page.damage))
        return ProductFilePage(
            [SourceProduct(None, None, None, problem)], page.after, share=1.0, objects=0, ended=True, damage=None
        )

    def _share(self, unread_files: list[ChangesFile], file_share: float) -> float:
        """The share of the run (0 to 1) that is done, estimated from the number of unread files."""
        n_files = len(self._published_files or unread_files) or 1
        return (n_files - len(unread_files) + file_share) / n_files if unread_files else 1.0


def _format_minute(timestamp: int) -> str:
    return datetime.fromtimestamp(min(timestamp, MAX_TIMESTAMP), UTC).strftime("%Y-%m-%d %H:%M")

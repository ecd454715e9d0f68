"""Reads the daily changes of a database: a file a day, of the last two weeks, listed in an index; the oldest first."""

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

NAME = re.compile(r"\w{1,60}_products_(\d{1,12})_(\d{1,12})\.json\.gz")
INDEX_BYTES = 10_000_000
LAST_DATE = 253402300799  # the last second that datetime can hold


@dataclass(frozen=True, slots=True, order=True)
class ChangesFile:
    """A file of the products that changed between two moments (Unix time)."""

    end: int
    begin: int
    name: str


class _PageInFile(NamedTuple):
    page: ProductFilePage
    cursor: dict[str, Any]  # behind the page, without "taken"


class DailyChanges:
    """The changes since the last run, page after page.

    A cursor says up to which moment all changes have come, and the position of a run in the file after it:
    {"since", "file", "line", "byte", "taken"}, of which a new run has the first alone. A run without a cursor reads all
    files that are published. Cursors are never lost: a file that is gone is left out, and a row of its own says so.
    """

    def __init__(self, database: ProductDatabase, settings: Settings, progress: Progress | None = None) -> None:
        self._database = database
        self._settings = settings
        self._progress = progress
        self._files: list[ChangesFile] | None = None
        self._open_copy = OpenCopy()
        self._following: SourceCursor | None = None

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next products; ``next_start`` is always set. Raises what ``PublishedCopy.get`` does."""
        if self._files is None or cursor is None or cursor != self._following:
            self._open_copy.close(discard=False)
            self._files = self._read_index()
        place: dict[str, Any] = {"since": 0, **(cursor or {})}
        taken = int(place.pop("taken", 0))
        due = [file for file in self._files if file.end > place["since"]]
        products: list[SourceProduct] = []
        share = 0.0
        if "taken" not in (cursor or {}):
            products += self._missed(place["since"])
        if due:
            page, place = self._next(due[0], place, None if query.limit is None else query.limit - taken)
            products += page.products
            share = page.share
        taken += len(products)
        over = place["since"] >= max((file.end for file in due), default=0) or taken == query.limit
        if over:
            self._open_copy.close(discard=True)
            self._files = None
        self._following = None if over else {**place, "taken": taken}
        return ProductPage(products, self._following, None, self._share(due, share), place)

    def _next(self, file: ChangesFile, place: dict[str, Any], left: int | None) -> _PageInFile:
        if self._open_copy.file is None:
            self._open(file, place, left)
        page = self._open_copy.page()
        if page.ended and page.damage is None:
            self._open_copy.close(discard=True)
            return _PageInFile(page, {"since": file.end})
        if page.damage is not None and not page.products:
            self._open_copy.close(discard=True)
            return _PageInFile(self._damaged(file, page), {"since": file.end})
        position = {"file": file.name, "line": page.after.line, "byte": page.after.byte}
        return _PageInFile(page, {"since": place["since"], **position})

    def _open(self, file: ChangesFile, place: dict[str, Any], left: int | None) -> None:
        folder = self._database.changes.rpartition("/")[0]
        copy = PublishedCopy(f"{folder}/{file.name}", file.name, self._settings, self._progress)
        self._open_copy.copy = copy
        same_file = place.get("file") == file.name
        position = LinePosition(int(place["line"]), int(place["byte"])) if same_file else LinePosition()
        path = copy.get(renew=False)
        languages = self._settings.source_language_codes()
        options = ReadingOptions(self._database, languages, self._settings.source_file_page)
        products = ProductFile(path, options, position, left)
        # Another file under the same name, which was never seen to happen: from its beginning.
        if not products.reached:
            products.close()
            products = ProductFile(path, options, None, left)
        self._open_copy.file = products

    def _read_index(self) -> list[ChangesFile]:
        """The files that are published, the oldest first."""
        index_name = f"{self._database.name}-index.txt"
        copy = PublishedCopy(self._database.changes, index_name, self._settings, self._progress)
        with copy.get(renew=True).open("rb") as file:
            lines = file.read(INDEX_BYTES).decode(errors="replace").splitlines()
        copy.discard()
        found = (NAME.fullmatch(line.strip()) for line in lines)
        return sorted({ChangesFile(int(name[2]), int(name[1]), name[0]) for name in found if name})

    def _missed(self, since: int) -> list[SourceProduct]:
        """A row that says which changes are no longer published, if some are not."""
        oldest = min((file.begin for file in self._files or ()), default=0)
        if not since or oldest <= since:
            return []
        problem = Reason.of(ReasonCode.CHANGES_NOT_PUBLISHED, begin=_minute(since), end=_minute(oldest))
        return [SourceProduct(None, None, None, problem)]

    def _damaged(self, file: ChangesFile, page: ProductFilePage) -> ProductFilePage:
        problem = Reason.of(ReasonCode.CHANGES_DAMAGED, file=file.name, line=page.after.line, error=str(page.damage))
        return ProductFilePage(
            [SourceProduct(None, None, None, problem)], page.after, share=1.0, objects=0, ended=True, damage=None
        )

    def _share(self, due: list[ChangesFile], share: float) -> float:
        """The share of a run (0 to 1) that is done, by the files it has yet to read."""
        listed = len(self._files or due) or 1
        return (listed - len(due) + share) / listed if due else 1.0


def _minute(moment: int) -> str:
    return datetime.fromtimestamp(min(moment, LAST_DATE), UTC).strftime("%Y-%m-%d %H:%M")

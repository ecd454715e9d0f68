"""What changed at a database: a file a day, of the last two weeks, listed in an index; the oldest comes first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.settings import Settings
from infra.sources.databases import Database
from infra.sources.line_reader import Place
from infra.sources.product_file import FilePage, InHand, ProductFile
from infra.sources.published_copy import PublishedCopy, Tell
from pipeline.domain.product_source import ProductPage, ProductQuery, SourceCursor, SourceProduct

NAME = re.compile(r"\w{1,60}_products_(\d{1,12})_(\d{1,12})\.json\.gz")
INDEX_BYTES = 10_000_000


@dataclass(frozen=True, slots=True, order=True)
class ChangesFile:
    """A file of the products that changed between two moments (seconds of Unix time)."""

    end: int
    begin: int
    name: str


class DailyChanges:
    """The changes since the last run, page after page.

    A cursor says up to which moment everything has come, and where in the file after it a run stands:
    {"since", "file", "line", "byte", "taken"}, of which a new run has the first alone. A run that begins nowhere takes
    all that is published. Cursors are never lost: a file that is gone is left out, and told as a row of its own.
    """

    def __init__(self, database: Database, settings: Settings, tell: Tell | None = None) -> None:
        self._database = database
        self._settings = settings
        self._tell = tell
        self._listed: list[ChangesFile] | None = None
        self._held = InHand()
        self._following: SourceCursor | None = None

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next products; ``next_time`` is always set. Raises what ``PublishedCopy.get`` does."""
        if self._listed is None or cursor is None or cursor != self._following:
            self._held.close(discard=False)
            self._listed = self._index()
        place: dict[str, Any] = {"since": 0, **(cursor or {})}
        taken = int(place.pop("taken", 0))
        due = [delta for delta in self._listed if delta.end > place["since"]]
        products: list[SourceProduct] = []
        share = 0.0
        if "taken" not in (cursor or {}):
            products += self._missed(place["since"])
        if due:
            page, place = self._next(due[0], place, None if query.limit is None else query.limit - taken)
            products += page.products
            share = page.share
        taken += len(products)
        over = place["since"] >= max((delta.end for delta in due), default=0) or taken == query.limit
        if over:
            self._held.close(discard=True)
            self._listed = None
        self._following = None if over else {**place, "taken": taken}
        return ProductPage(products, self._following, None, self._share(due, share), place)

    def _next(self, delta: ChangesFile, place: dict[str, Any], left: int | None) -> tuple[FilePage, dict[str, Any]]:
        """The next page of a file, and the place behind it."""
        if self._held.file is None:
            self._open(delta, place, left)
        page = self._held.page()
        if page.ended and page.damage is None:
            self._held.close(discard=True)
            return page, {"since": delta.end}
        if page.damage is not None and not page.products:
            self._held.close(discard=True)
            return self._damaged(delta, page), {"since": delta.end}
        at = {"file": delta.name, "line": page.after.line, "byte": page.after.byte}
        return page, {"since": place["since"], **at}

    def _open(self, delta: ChangesFile, place: dict[str, Any], left: int | None) -> None:
        folder = self._database.changes.rpartition("/")[0]
        self._held.copy = PublishedCopy(f"{folder}/{delta.name}", delta.name, self._settings, self._tell)
        begun = Place(int(place["line"]), int(place["byte"])) if place.get("file") == delta.name else Place()
        path, size = self._held.copy.get(renew=False), self._settings.source_file_page
        languages = self._settings.source_languages_wanted()
        self._held.file = ProductFile(path, self._database, languages, size, begun, left)
        # Another file under the name, which was never seen to happen: from its beginning.
        if not self._held.file.reached:
            self._held.file.close()
            self._held.file = ProductFile(path, self._database, languages, size, None, left)

    def _index(self) -> list[ChangesFile]:
        """The files there are, the oldest first."""
        copy = PublishedCopy(self._database.changes, f"{self._database.name}-index.txt", self._settings, self._tell)
        with copy.get(renew=True).open("rb") as file:
            lines = file.read(INDEX_BYTES).decode(errors="replace").splitlines()
        copy.discard()
        found = (NAME.fullmatch(line.strip()) for line in lines)
        return sorted({ChangesFile(int(name[2]), int(name[1]), name[0]) for name in found if name})

    def _missed(self, since: int) -> list[SourceProduct]:
        """A row that tells of changes that are not published any more, where there are some."""
        oldest = min((delta.begin for delta in self._listed or ()), default=0)
        if not since or oldest <= since:
            return []
        problem = (
            f"what changed between {_day(since)} and {_day(oldest)} is not published any more: "
            "collect the whole export to have it"
        )
        return [SourceProduct(None, None, None, problem)]

    def _damaged(self, delta: ChangesFile, page: FilePage) -> FilePage:
        problem = f"{delta.name} is damaged after line {page.after.line}: {page.damage}; its good lines are taken in"
        return FilePage([SourceProduct(None, None, None, problem)], page.after, 1.0, 0, True, None)

    def _share(self, due: list[ChangesFile], share: float) -> float:
        """How far a run is: by the files it has yet to read."""
        listed = len(self._listed or due) or 1
        return (listed - len(due) + share) / listed if due else 1.0


def _day(moment: int) -> str:
    return datetime.fromtimestamp(min(moment, 253402300799), UTC).strftime("%Y-%m-%d %H:%M")

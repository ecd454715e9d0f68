"""Reads the complete export of a database: a local file, a file at an address, or the one the database publishes."""

from __future__ import annotations

from pathlib import Path

from infra.settings import Settings
from infra.sources.politeness import Progress
from infra.sources.product_file import LinePosition, OpenCopy, ProductFile, ProductFilePage, ReadingOptions
from infra.sources.published_file_copy import PublishedCopy, identity_of
from pipeline.domain.errors import InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import CursorLost, ProductPage, ProductQuery, SourceCursor


class DatabaseExport:
    """Pages of an export.

    A cursor is {"file", "line", "byte", "taken"}: the file's identity, a position in it, and the number of products
    returned. Requesting the pages in order reads the file once; any other cursor seeks to its position first.
    """

    def __init__(self, database: ProductDatabase, settings: Settings, progress: Progress | None = None) -> None:
        self._database = database
        self._settings = settings
        self._progress = progress
        self._open_copy = OpenCopy()
        self._name = ""
        self._identity = ""
        self._expected_cursor: SourceCursor | None = None

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next products. Raises what ``PublishedCopy.get`` raises, and CursorLost when the file has changed.

        Raises InvalidInput for a file without products, and PermanentFailure for a damaged one, but only after the
        products before the damage have been returned.
        """
        if self._open_copy.file is None or cursor is None or cursor != self._expected_cursor:
            self._open(query, cursor)
        page = self._open_copy.page()
        n_returned = (int(cursor["taken"]) if cursor else 0) + len(page.products)
        self._check(page, cursor)
        finished = n_returned == query.limit or (page.ended and page.damage is None)
        position = {"line": page.after.line, "byte": page.after.byte}
        self._expected_cursor = None if finished else {"file": self._identity, **position, "taken": n_returned}
        return ProductPage(page.products, self._expected_cursor, None, page.share)

    def delete_copy(self) -> None:
        """Delete the local copy; only after the last page is stored, since a run that fails before needs it again."""
        self._open_copy.close(discard=True)

    def _open(self, query: ProductQuery, cursor: SourceCursor | None) -> None:
        self._open_copy.close(discard=False)
        path = self._local_path(query.value.strip(), refresh=cursor is None)
        position, remaining = LinePosition(), query.limit
        if cursor is not None:
            if cursor["file"] != self._identity:
                raise CursorLost(f"{self._name} is no longer the file that this run began with; it begins anew")
            position = LinePosition(int(cursor["line"]), int(cursor["byte"]))
            remaining = None if remaining is None else remaining - int(cursor["taken"])
        languages = self._settings.source_language_codes()
        options = ReadingOptions(self._database, languages, self._settings.source_file_page)
        try:
            self._open_copy.file = ProductFile(path, options, position, remaining)
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
        if not self._open_copy.file.reached:
            raise CursorLost(f"{self._name} has fewer lines than were read of it; it begins anew")

    def _local_path(self, value: str, *, refresh: bool) -> Path:
        """The path of the file, which is downloaded first when ``value`` is empty or an address."""
        if not value or "://" in value:
            self._name = f"the export of {self._database.title}" if not value else "the export at that address"
            copy = PublishedCopy(value or self._database.export, self._database.name, self._settings, self._progress)
            self._open_copy.copy = copy
            path = copy.get(refresh=refresh)
            self._identity = copy.identity()
            return path
        path = Path(value).expanduser()
        self._name = f"the export {path}"
        if not path.is_file():
            raise InvalidInput(f"there is no file {path}; name an export, or its http(s) address")
        try:
            self._identity = identity_of(path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
        return path

    def _check(self, page: ProductFilePage, cursor: SourceCursor | None) -> None:
        """Raise when the file has no products, or is damaged and all products before the damage have been returned."""
        is_first_page = cursor is None
        if page.damage is not None and not page.products:
            self._open_copy.close(discard=True)
            location = "" if is_first_page else f" after line {page.after.line}; the products before it were imported"
            raise PermanentFailure(
                f"{self._name} is damaged: {page.damage}{location}. Fetch it again, then start again"
            )
        if is_first_page and not page.objects:
            self._open_copy.close(discard=True)
            problem = "its lines are no JSON objects" if page.products else "it is empty"
            raise InvalidInput(f"{self._name} holds no products: {problem}; expected one product a line, as JSON")

"""The whole export of a database: by the path of a file, by an address, or the one that the database publishes."""

from __future__ import annotations

from pathlib import Path

from infra.settings import Settings
from infra.sources.databases import Database
from infra.sources.line_reader import Place
from infra.sources.product_file import FilePage, InHand, ProductFile
from infra.sources.published_copy import PublishedCopy, Tell, identity_of
from pipeline.domain.errors import InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.product_source import CursorLost, ProductPage, ProductQuery, SourceCursor


class Export:
    """An export on its way through, page after page.

    A cursor names the file by its identity, and a place in it: {"file", "line", "byte", "taken"}. Whoever asks for the
    pages in turn reads the file once; anybody else makes it go to the place again.
    """

    def __init__(self, database: Database, settings: Settings, tell: Tell | None = None) -> None:
        self._database = database
        self._settings = settings
        self._tell = tell
        self._held = InHand()
        self._name = ""
        self._identity = ""
        self._following: SourceCursor | None = None

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next products. Raises what ``PublishedCopy.get`` does, and CursorLost for another file than before.

        InvalidInput tells of a file that is none of products, PermanentFailure of one that is damaged: where that is
        met in the middle, what came before it has been given.
        """
        if self._held.file is None or cursor is None or cursor != self._following:
            self._open(query, cursor)
        page = self._held.page()
        taken = (int(cursor["taken"]) if cursor else 0) + len(page.products)
        self._check(page, cursor)
        over = taken == query.limit or (page.ended and page.damage is None)
        place = {"line": page.after.line, "byte": page.after.byte}
        self._following = None if over else {"file": self._identity, **place, "taken": taken}
        return ProductPage(page.products, self._following, None, page.share)

    def finished(self) -> None:
        """Throw the copy away. Not before: a run that dies with its last page in hand goes on with it."""
        self._held.close(discard=True)

    def _open(self, query: ProductQuery, cursor: SourceCursor | None) -> None:
        self._held.close(discard=False)
        path = self._path(query.value.strip(), renew=cursor is None)
        place, left = Place(), query.limit
        if cursor is not None:
            if cursor["file"] != self._identity:
                raise CursorLost(f"{self._name} is not the file any more that this run began with; it begins anew")
            place = Place(int(cursor["line"]), int(cursor["byte"]))
            left = None if left is None else left - int(cursor["taken"])
        size = self._settings.source_file_page
        languages = self._settings.source_languages_wanted()
        try:
            self._held.file = ProductFile(path, self._database, languages, size, place, left)
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
        if not self._held.file.reached:
            raise CursorLost(f"{self._name} has fewer lines than were read of it; it begins anew")

    def _path(self, value: str, renew: bool) -> Path:
        """Where the file lies, once it is there."""
        if not value or "://" in value:
            self._name = f"the export of {self._database.title}" if not value else "the export at that address"
            self._held.copy = PublishedCopy(
                value or self._database.export, self._database.name, self._settings, self._tell
            )
            path = self._held.copy.get(renew)
            self._identity = self._held.copy.identity()
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

    def _check(self, page: FilePage, cursor: SourceCursor | None) -> None:
        """Whether the page is of a file of products; a damaged one is told when its good lines have been given."""
        begun = cursor is None
        if page.damage is not None and not page.products:
            self._held.close(discard=True)
            came = "" if begun else f" after line {page.after.line}; what came before is taken in"
            raise PermanentFailure(f"{self._name} is damaged: {page.damage}{came}. Get it again, then start again")
        if begun and not page.objects:
            self._held.close(discard=True)
            what = "its lines are no JSON objects" if page.products else "it is empty"
            raise InvalidInput(f"{self._name} is none: {what}; what is read has one product a line, as JSON")

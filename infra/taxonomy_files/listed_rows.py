"""Rows as the formats of taxonomy files yield them, and the categories made of them, with their ancestors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from infra.catalogue_files.cell_values import decoded_entities, text_of
from pipeline.domain.category import MAX_DEPTH, MAX_LENGTH, SEPARATOR
from pipeline.domain.category_spelling import CategorySpelling
from pipeline.domain.errors import InvalidCategory, InvalidInput
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.taxonomy import (
    MAX_CATEGORY_DESCRIPTION,
    MAX_CATEGORY_ID,
    MAX_EXAMPLES,
    MAX_LISTED_CATEGORIES,
    MAX_SYNONYM,
    MAX_SYNONYMS,
    CategoryEntry,
    ListedTaxonomy,
)

MAX_ROWS = 1_000_000
# From so many rows on, a list with fewer categories than half of its rows is one of products.
MIN_PRODUCT_ROWS = 20
_SYNONYM_SEPARATOR = re.compile(r"\s*[;|\n]\s*")
_BLANKS_AROUND_SLASH = re.compile(r"\s+([/|])\s+")


@dataclass(frozen=True, slots=True)
class ListedRow:
    """One row of a file: the path of a category from the top down, with its texts; or a problem.

    ``parent`` is the id or name of the category above it, where the path is only its own name.
    """

    number: int
    path: tuple[str, ...]
    description: str = ""
    synonyms: tuple[str, ...] = ()
    external_id: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""
    problem: Reason | None = None


def collect_categories(rows: Iterable[ListedRow]) -> ListedTaxonomy:
    """The categories of the rows in their order, with the ancestors that have no row of their own.

    Names that differ only in case, blanks, or ``&`` and ``and`` are one category. Raises InvalidInput for a list of
    products, for one without any category, and for one that is too long.
    """
    listed = list(rows)
    entries: dict[str, CategoryEntry] = {}
    ids: dict[str, str] = {}
    repeated: dict[str, None] = {}
    left_out: list[tuple[int, Reason]] = []
    spelling = CategorySpelling(())
    own_rows: set[str] = set()
    n_categories = 0
    for row in with_parents(listed):
        try:
            if row.problem is not None:
                raise InvalidInput(row.problem)
            path = spelling.respell(checked_path(row.path))
        except InvalidInput as error:
            left_out.append((row.number, reason_of(error)))
            continue
        names = path.split(SEPARATOR)
        for depth in range(1, len(names)):
            ancestor = SEPARATOR.join(names[:depth])
            entries.setdefault(ancestor, CategoryEntry(ancestor))
        n_categories += 1
        entry = _entry(path, row)
        if entry.external_id and ids.setdefault(entry.external_id, path) != path:
            entry = replace(entry, external_id=None)
        before = entries.get(path)
        if path in own_rows and before is not None and _is_repeated(before.external_id, entry.external_id):
            repeated[path] = None
        own_rows.add(path)
        entries[path] = entry if before is None else _merged(before, entry)
        if len(entries) > MAX_LISTED_CATEGORIES:
            raise InvalidInput(Reason.of(ReasonCode.TOO_MANY_CATEGORIES, limit=MAX_LISTED_CATEGORIES))
    if not entries or len(left_out) > n_categories:
        raise InvalidInput(Reason(ReasonCode.NOT_A_TAXONOMY))
    if n_categories >= MIN_PRODUCT_ROWS and len(entries) < 0.5 * n_categories:
        reason = Reason.of(ReasonCode.LISTINGS_NOT_TAXONOMY, rows=n_categories, categories=len(entries))
        raise InvalidInput(reason)
    return ListedTaxonomy(tuple(entries.values()), tuple(_notes(left_out, list(repeated))))


def checked_path(names: Sequence[str]) -> str:
    """The canonical text of a path. Raises InvalidCategory when it is empty, too deep or too long."""
    tidy = [name for name in map(_tidy, names) if name]
    if not tidy:
        raise InvalidCategory(Reason(ReasonCode.CATEGORY_EMPTY))
    path = SEPARATOR.join(tidy)
    if len(tidy) > MAX_DEPTH or len(path) > MAX_LENGTH:
        raise InvalidCategory(Reason.of(ReasonCode.CATEGORY_TOO_LONG, levels=MAX_DEPTH, characters=MAX_LENGTH))
    return path


def with_parents(rows: Sequence[ListedRow]) -> list[ListedRow]:
    """The rows with whole paths: of rows that name a parent, the paths are put together."""
    if not any(row.parent for row in rows):
        return list(rows)
    by_key = {key: row for row in reversed(rows) for key in (" ".join(row.path[-1:]), row.external_id) if key}
    return [_below_parents(row, by_key) for row in rows]


def split_synonyms(text: str) -> tuple[str, ...]:
    """The synonyms of a cell, between semicolons, bars or lines; between commas where there is none of these."""
    pieces = _SYNONYM_SEPARATOR.split(text)
    return tuple(piece.strip() for piece in (pieces if len(pieces) > 1 else text.split(",")) if piece.strip())


def _below_parents(row: ListedRow, by_key: Mapping[str, ListedRow]) -> ListedRow:
    path, parent = row.path, row.parent
    seen = {id(row)}
    while parent and parent not in ("0", "-1"):  # what shops write for the top
        above = by_key.get(parent)
        if above is None or id(above) in seen:
            return replace(row, problem=Reason.of(ReasonCode.PARENTS_UNKNOWN, parent=parent[:80]))
        seen.add(id(above))
        path, parent = (*above.path, *path), above.parent
    return replace(row, path=path)


def _entry(path: str, row: ListedRow) -> CategoryEntry:
    own = path.rpartition(SEPARATOR)[2]
    synonyms = dict.fromkeys(_tidy(synonym)[:MAX_SYNONYM] for synonym in row.synonyms)
    return CategoryEntry(
        path,
        text_of(row.description)[:MAX_CATEGORY_DESCRIPTION],
        tuple(synonym for synonym in synonyms if synonym and synonym != own)[:MAX_SYNONYMS],
        row.external_id[:MAX_CATEGORY_ID] or None,
        {language: tidy for language, name in row.names.items() if (tidy := _tidy(name)) and tidy != own},
    )


def _is_repeated(before: str | None, external_id: str | None) -> bool:
    """Whether two rows of a path are a mistake: formats with ids name a category again where they refer to it."""
    return before != external_id if before and external_id else not (before or external_id)


def _merged(before: CategoryEntry, entry: CategoryEntry) -> CategoryEntry:
    synonyms = tuple(dict.fromkeys((*before.synonyms, *entry.synonyms)))[:MAX_SYNONYMS]
    return replace(before.updated(entry), synonyms=synonyms, external_id=before.external_id or entry.external_id)


def _notes(left_out: Sequence[tuple[int, Reason]], repeated: list[str]) -> Iterable[Reason]:
    if left_out:
        row, problem = left_out[0]
        yield Reason.of(ReasonCode.CATEGORY_ROWS_LEFT_OUT, n=len(left_out), row=row, problem=problem)
    if repeated:
        yield Reason.of(ReasonCode.CATEGORIES_REPEATED, n=len(repeated), examples=repeated[:MAX_EXAMPLES])


def _tidy(name: str) -> str:
    """The name without what would part it elsewhere: a slash or a bar between blanks."""
    return _BLANKS_AROUND_SLASH.sub(r"\1", " ".join(decoded_entities(text_of(name)).split()))

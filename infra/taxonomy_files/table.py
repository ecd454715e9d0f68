"""Tables of categories: a column of paths, a column per level, or names with the id of their parent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from infra.catalogue_files.category_cells import CategoryReader, certain_path
from infra.catalogue_files.cell_values import text_of
from infra.catalogue_files.column_detection import plain
from infra.taxonomy_files.listed_rows import ListedRow, split_synonyms
from infra.taxonomy_files.nested_json import (
    DESCRIPTION_KEYS,
    ID_KEYS,
    NAME_KEYS,
    PARENT_KEYS,
    PATH_KEYS,
    SYNONYM_KEYS,
)
from pipeline.domain.category_notation import CategoryChoice, CategoryNotation
from pipeline.domain.csv_cells import unguarded

Row = tuple[int, Sequence[object]]  # its number in the file, and its cells

PATH_NAMES = (*PATH_KEYS, "full_category_name", "category_full_name", "category_tree", "product_category_tree")
PATH_NAMES_OF_CATALOGUES = ("categories", "google_product_category", "product_type", "taxonomy", "rayon", "name_path")
LANGUAGES = frozenset({"ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"})
_LEVEL = re.compile(r"(?:category|categorie|cat|level|lvl|niveau|l)_?(?:level|lvl|niveau)?_?(\d{1,2})(?:_name|_nom)?")
_NUMBERED = re.compile(r"(?:level|niveau|lvl)_(\d{1,2})_(?:category|categorie|name|nom)")
_NESTED_LEVELS = (
    ("department", "departement", "rayon", "category", "categorie", "main_category", "univers"),
    ("category", "categorie", "sub_category", "subcategory", "sous_categorie", "famille"),
    ("sub_category", "subcategory", "sous_categorie", "sub_category_1", "sous_famille", "type"),
    ("sub_sub_category", "subsubcategory", "sous_sous_categorie", "sub_category_2", "type", "product_type"),
)
_IN_LANGUAGE = re.compile(r"(?:name|nom|label|title|libelle|category|categorie|path|chemin)_([a-z]{2})(?:_[a-z]{2})?")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class TaxonomyColumns:
    """The positions of the columns: ``path`` of the whole path, or ``levels`` from the top, or ``name`` alone."""

    path: int | None = None
    levels: tuple[int, ...] = ()
    name: int | None = None
    parent: int | None = None
    external_id: int | None = None
    description: int | None = None
    synonyms: int | None = None
    names: Mapping[str, int] = field(default_factory=dict)


def find_columns(header: Sequence[object]) -> TaxonomyColumns | None:
    """The columns by their names; None when the row names no column of categories and so is no header."""
    keys = [plain(text_of(cell)) for cell in header]

    def first(names: Sequence[str]) -> int | None:
        return next((keys.index(name) for name in names if name in keys), None)

    names = {
        found[1]: position
        for position, key in enumerate(keys)
        if (found := _IN_LANGUAGE.fullmatch(key)) and found[1] in LANGUAGES
    }
    names |= {key: position for position, key in enumerate(keys) if key in LANGUAGES}
    levels, name, parent = _levels(keys), first(NAME_KEYS), first(PARENT_KEYS)
    path = None if levels else first((*PATH_NAMES, *PATH_NAMES_OF_CATALOGUES))
    if path is None and name is None and not levels and names:
        # Only columns in languages: the first of them names the category, the others translate it.
        name = names.pop(next((language for language in ("en", "fr") if language in names), next(iter(names))))
    if path is None and name is None and not levels:
        return None
    return TaxonomyColumns(
        path,
        levels,
        name,
        None if path is not None or levels else parent,
        first(ID_KEYS),
        first(DESCRIPTION_KEYS),
        first(SYNONYM_KEYS),
        {language: position for language, position in names.items() if position not in (path, name, *levels)},
    )


def columns_without_header(rows: Sequence[Row]) -> TaxonomyColumns:
    """The columns of a table without a header: ids where the first one is numbers, then a path or its levels.

    Google's spreadsheet of its taxonomy is such a table.
    """
    firsts = [text_of(cells[0]) for _, cells in rows if cells]
    has_ids = sum(bool(_NUMBER.fullmatch(text)) for text in firsts) > 0.9 * len(firsts)
    start = 1 if has_ids else 0
    width = max((len(cells) for _, cells in rows), default=0)
    filled = tuple(at for at in range(start, width) if any(at < len(cells) and text_of(cells[at]) for _, cells in rows))
    external_id = 0 if has_ids else None
    if len(filled) > 1:
        return TaxonomyColumns(levels=filled, external_id=external_id)
    return TaxonomyColumns(path=filled[0] if filled else start, external_id=external_id)


def table_rows(rows: Sequence[Row], columns: TaxonomyColumns) -> Iterator[ListedRow]:
    """The categories of the rows below the header; rows without a category are passed over."""
    cells = [_one_path(row, columns.path) for row in rows]
    reader = None
    if columns.path is not None and not any(len(certain_path(cell)) > 1 for cell in cells):
        reader = CategoryReader.of(cells, CategoryNotation(choice=CategoryChoice.FIRST))
    previous: list[str] = []
    for row in rows:
        if columns.levels:
            path = previous = _filled_levels([unguarded(text_of(_cell(row, at))) for at in columns.levels], previous)
        elif columns.path is not None:
            read = reader.read(_one_path(row, columns.path)).category if reader else None
            path = list(read.path if read else certain_path(unguarded(text_of(_cell(row, columns.path)))))
        else:
            path = list(certain_path(unguarded(text_of(_cell(row, columns.name)))))
        if any(path):
            yield ListedRow(
                row[0],
                tuple(name for name in path if name),
                unguarded(text_of(_cell(row, columns.description))),
                split_synonyms(unguarded(text_of(_cell(row, columns.synonyms)))),
                text_of(_cell(row, columns.external_id)),
                {language: _leaf(text_of(_cell(row, at))) for language, at in columns.names.items()},
                text_of(_cell(row, columns.parent)),
            )


def _levels(keys: Sequence[str]) -> tuple[int, ...]:
    numbered = {
        int(found[1]): position
        for position, key in enumerate(keys)
        if (found := _LEVEL.fullmatch(key) or _NUMBERED.fullmatch(key))
    }
    if len(numbered) > 1:
        return tuple(numbered[number] for number in sorted(numbered))
    positions: list[int] = []
    for names in _NESTED_LEVELS:
        found_at = next((keys.index(n) for n in names if n in keys and keys.index(n) not in positions), None)
        if found_at is not None:
            positions.append(found_at)
    return tuple(positions) if len(positions) > 1 else ()


def _filled_levels(cells: list[str], previous: Sequence[str]) -> list[str]:
    """The levels of a row; in an outline, where only what changes is written, those above come from the row before."""
    first = next((at for at, cell in enumerate(cells) if cell), None)
    if not first:
        return cells
    return [*previous[:first], *cells[first:]]


def _one_path(row: Row, at: int | None) -> str:
    """A cell whose commas are marked as parts of names, since it holds one category only."""
    return unguarded(text_of(_cell(row, at))).replace(",", "\\,")


def _leaf(text: str) -> str:
    path = certain_path(text)
    return path[-1] if path else ""


def _cell(row: Row, at: int | None) -> object:
    return row[1][at] if at is not None and at < len(row[1]) else None

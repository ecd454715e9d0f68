"""Categories in JSON: paths, objects with children, objects nested by name, and Shopify's ``verticals``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.catalogue_files.category_cells import certain_path
from infra.catalogue_files.cell_values import text_of
from infra.catalogue_files.column_detection import plain
from infra.taxonomy_files.listed_rows import ListedRow, split_synonyms
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

MAX_NESTING = 40
PATH_KEYS = ("full_name", "full_path", "path", "category_path", "breadcrumb", "chemin", "category", "categorie")
NAME_KEYS = ("name", "title", "label", "nom", "libelle", "intitule", "value")
CHILD_KEYS = (
    *("children", "subcategories", "sub_categories", "subcategory", "child_categories", "categories", "verticals"),
    *("nodes", "items", "enfants", "sous_categories", "taxonomy", "data", "results"),
)
ID_KEYS = ("external_id", "id", "gid", "code", "category_id", "_id", "identifiant", "slug")
PARENT_KEYS = ("parent_id", "parent", "parent_category", "parent_name")
DESCRIPTION_KEYS = ("description", "desc", "definition", "descriptif")
SYNONYM_KEYS = ("synonyms", "synonym", "synonymes", "aliases", "alias", "keywords", "mots_cles", "search_terms")
NAMES_KEYS = ("names", "translations", "localized_names", "noms", "traductions")
DEFAULT_LANGUAGES = ("en", "fr")
_LANGUAGE = re.compile(r"([a-z]{2})(?:[_-][A-Za-z]{2,4})?")
_NAME_IN_LANGUAGE = re.compile(r"(?:name|nom|label|title|libelle)_([a-z]{2})(?:_[a-z]{2})?")


def json_rows(value: object) -> Iterator[ListedRow]:
    """The categories of a JSON value, in its order; the number of a row counts the categories."""
    yield from _Walk().categories(value, ())


@dataclass
class _Walk:
    """A walk through one document."""

    number: int = 0

    def categories(self, value: object, above: tuple[str, ...], depth: int = MAX_NESTING) -> Iterator[ListedRow]:
        """The categories of a value below the path ``above``."""
        if not depth:
            return
        if isinstance(value, Mapping):
            yield from self._object(value, above, depth)
        elif isinstance(value, list):
            for part in value:
                if isinstance(part, list) and part and all(isinstance(name, str) for name in part):
                    yield self._row((*above, *part))  # a list of lists: each is a path
                else:
                    yield from self.categories(part, above, depth - 1)
        elif isinstance(value, str) and value.strip():
            yield self._row((*above, *_path(value)))
        elif value is not None:
            yield self._unusable()

    def _object(self, value: Mapping[str, object], above: tuple[str, ...], depth: int) -> Iterator[ListedRow]:
        fields = {plain(str(key)): each for key, each in value.items()}
        whole = _first_path(fields)
        name, names = _name_and_translations(fields)
        children = [fields[key] for key in CHILD_KEYS if isinstance(fields.get(key), (list, dict))]
        if name and not (whole or children or above) and depth == MAX_NESTING:
            yield self._unusable()  # a document of another kind, which happens to have a name
        elif whole or name:
            path = whole or (*above, *_own_name(name))
            yield self._row(path, fields, names, parent="" if whole or above else _first_text(fields, PARENT_KEYS))
            for child in children:
                yield from self.categories(child, path, depth - 1)
        elif children and not above:
            for child in children:  # the wrapper around the list
                yield from self.categories(child, (), depth - 1)
        else:
            yield from self._nested_by_name(value, above, depth)

    def _nested_by_name(self, value: Mapping[str, object], above: tuple[str, ...], depth: int) -> Iterator[ListedRow]:
        """The categories of an object whose keys are their names: ``{"Home": {"Kitchen": ["Pans"]}}``."""
        for name, below in value.items():
            if below is not None and not isinstance(below, (Mapping, list, str)):
                yield self._unusable()
                continue
            path = (*above, *_own_name(str(name)))
            yield self._row(path)
            yield from self.categories(below, path, depth - 1)

    def _row(
        self,
        path: tuple[str, ...],
        fields: Mapping[str, object] | None = None,
        names: Mapping[str, str] | None = None,
        parent: str = "",
    ) -> ListedRow:
        self.number += 1
        fields = fields or {}
        description = _first_text(fields, DESCRIPTION_KEYS)
        external_id = _first_text(fields, ID_KEYS)
        return ListedRow(self.number, path, description, _synonyms(fields), external_id, names or {}, parent)

    def _unusable(self) -> ListedRow:
        self.number += 1
        return ListedRow(self.number, (), problem=Reason(ReasonCode.NOT_A_TAXONOMY))


def _path(text: str) -> tuple[str, ...]:
    """The parts of a path; ``/`` and ``|`` part it between blanks only."""
    return tuple(part for piece in certain_path(text) for part in re.split(r"\s+[/|]\s+", piece) if part)


def _own_name(name: str) -> tuple[str, ...]:
    return (name.strip(),) if name.strip() else ()


def _first_path(fields: Mapping[str, object]) -> tuple[str, ...]:
    for key in PATH_KEYS:
        value = fields.get(key)
        if isinstance(value, str) and value.strip():
            return _path(value)
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            return tuple(part for part in value if isinstance(part, str))
    return ()


def _name_and_translations(fields: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    """The own name of a category, and its names in other languages; a path has its name already."""
    value = next((fields[key] for key in NAME_KEYS if fields.get(key)), "")
    names: dict[str, str] = {}
    for translated in (value, *(fields.get(key) for key in NAMES_KEYS)):
        if isinstance(translated, Mapping):
            names |= {
                found[1]: text
                for language, name in translated.items()
                if (found := _LANGUAGE.fullmatch(str(language))) and (text := text_of(name))
            }
    names |= {
        found[1]: text
        for key, name in fields.items()
        if (found := _NAME_IN_LANGUAGE.fullmatch(key)) and (text := text_of(name))
    }
    if (isinstance(value, Mapping) or not value) and not _first_path(fields):
        language = next((each for each in (*DEFAULT_LANGUAGES, *names) if each in names), None)
        return (names.pop(language), names) if language else ("", {})
    return ("" if isinstance(value, Mapping) else text_of(value)), names


def _first_text(fields: Mapping[str, object], keys: Sequence[str]) -> str:
    return next((text for key in keys if (text := text_of(fields.get(key)))), "")


def _synonyms(fields: Mapping[str, object]) -> tuple[str, ...]:
    value = next((fields[key] for key in SYNONYM_KEYS if fields.get(key)), None)
    if isinstance(value, list):
        return tuple(text for part in value if (text := text_of(part)))
    return split_synonyms(text_of(value))

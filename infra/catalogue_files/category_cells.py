"""Read the category of a row: paths in any notation, and several paths in one cell.

Some separators always part a path (``>``, ``»``, ``::``), others also occur inside names: a comma, a slash, a colon.
Those are judged by the catalogue itself: ``Jewelry, Rings`` is one name where neither word occurs in another cell, and
two paths where both do; ``Home: Kitchen`` is a path where other cells have ``Home > Kitchen``.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from infra.catalogue_files.cell_values import ELLIPSES, text_of
from pipeline.domain.category import Category
from pipeline.domain.category_notation import RECOGNISED, CategoryChoice, CategoryNotation, Path, choose_path
from pipeline.domain.errors import InvalidCategory
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode

MAX_KNOWN_CELLS = 20_000  # different cells that are not read again
DEPTH = 8  # of nested lists and objects
# Between the parts of a path, wherever they occur; the longer ones first.
_ALWAYS = re.compile(r"\s*(?:>>|->|[>»›→▸▶⟩➔]|::|\\(?!,))\s*")
_PATHS = re.compile(r"\s*[;\n\r]+\s*|\s*\|\s*")  # between paths whose parts are separated otherwise
_ESCAPED_COMMA = "\\,"  # WooCommerce writes a comma inside a name like this
# Separators that also occur inside names, in the order in which they are tried.
_MAYBE = tuple(
    re.compile(pattern)
    for pattern in (
        r"\s*\|\|?\s*",
        r"\s+/\s+",
        r"/",
        r"\s*;\s*",
        r"\s*,\s*",
        r"\s*:\s*",
        r"\s+[-–—]\s+",
        r"(?<=\w)\.(?=\w)",
    )
)
_NUMPY_LIST = re.compile(r"""['"]([^'"]+)['"]""")


@dataclass(frozen=True, slots=True)
class CategoryCell:
    """The category of a cell, None without one, and notes on how it was read."""

    category: Category | None
    notes: tuple[Reason, ...] = ()


@dataclass(slots=True)
class CategoryReader:
    """Reads the cells of one catalogue; ``of`` learns from a sample what its separators mean.

    ``comma_parts_paths``: the platform writes several paths with commas between them (WooCommerce, Google).
    ``list_is_path``: a flat list goes from the general to the particular (Open Food Facts, PrestaShop).
    """

    notation: CategoryNotation = RECOGNISED
    comma_parts_paths: bool = False
    list_is_path: bool = False
    _steps: set[tuple[str, str]] = field(default_factory=set)  # a category and the one below it, case folded
    _parts: set[str] = field(default_factory=set)  # parts of paths whose separators are certain
    # Cells in which a name is a top category or the whole cell.
    _occurrences: Mapping[str, int] = field(default_factory=dict)
    _frequency: Mapping[Path, int] = field(default_factory=dict)
    _known_cells: dict[str, CategoryCell] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        sample: Iterable[object],
        notation: CategoryNotation | None = None,
        *,
        comma_parts_paths: bool = False,
        list_is_path: bool = False,
    ) -> CategoryReader:
        """Learn from the category cells of a sample."""
        reader = cls(notation or RECOGNISED, comma_parts_paths, list_is_path)
        cells = list(sample)
        texts = {text for cell in cells for text in _texts(cell)}
        occurrences: dict[str, set[str]] = defaultdict(set)
        for text in texts:
            for path in _certain_paths(text):
                folded = [part.casefold() for part in path]
                reader._steps.update(pairwise(folded))
                if len(path) > 1:
                    reader._parts.update(folded)
            for piece in _pieces(text):
                occurrences[piece.casefold()].add(text)
        reader._occurrences = {name: len(where) for name, where in occurrences.items()}
        if reader.notation.choice is CategoryChoice.MOST_SPECIFIC:
            frequency: dict[Path, int] = defaultdict(int)
            for cell in cells:
                for path in reader._paths(cell):
                    frequency[path] += 1
            reader._frequency = frequency
        return reader

    def read(self, value: object) -> CategoryCell:
        """The category of a cell; a last part that is cut with ``...`` is dropped."""
        if not isinstance(value, str):
            return self._read(value)
        known = self._known_cells.get(value)
        if known is None:
            known = self._read(value)
            if len(self._known_cells) < MAX_KNOWN_CELLS:
                self._known_cells[value] = known
        return known

    def _read(self, value: object) -> CategoryCell:
        paths = [path for path in self._paths(value) if path]
        if not paths:
            return CategoryCell(None)
        path = self._choose(paths)
        notes: list[Reason] = []
        others = [other for other in dict.fromkeys(paths) if other != path]
        if others:
            listed = " | ".join(" > ".join(other) for other in others)
            notes.append(Reason.of(ReasonCode.CATEGORY_CHOSEN, n=len(others), others=listed[:200]))
        if path[-1].endswith(ELLIPSES):
            path = path[:-1]
            notes.append(Reason(ReasonCode.CATEGORY_CUT))
        if not path:
            return CategoryCell(None, tuple(notes))
        try:
            return CategoryCell(Category.parse(" >> ".join(path)), tuple(notes))
        except InvalidCategory as error:
            return CategoryCell(None, (*notes, Reason.of(ReasonCode.CATEGORY_LEFT_OUT, problem=reason_of(error))))

    def _choose(self, paths: list[Path]) -> Path:
        if self.notation.choice is CategoryChoice.MOST_SPECIFIC:
            return min(paths, key=lambda path: (self._frequency.get(path, 0), -len(path)))
        return choose_path(paths, self.notation.choice)

    def _paths(self, value: object) -> list[Path]:
        loaded = _loaded(value)
        if isinstance(loaded, str):
            return self._paths_of_text(loaded)
        return self._paths_of_list(loaded, DEPTH)

    def _paths_of_list(self, value: object, deep: int) -> list[Path]:
        if not deep:
            return []
        if isinstance(value, Mapping):
            return self._paths_of_list(value.get("path", value.get("name")), deep - 1)
        if not isinstance(value, list):
            return self._paths_of_text(_decoded(text_of(value)))
        if any(isinstance(each, (list, Mapping)) for each in value):
            nested = [self._paths_of_list(each, deep - 1) for each in value]
            if all(isinstance(each, Mapping) for each in value) and all(len(paths) == 1 for paths in nested):
                names = tuple(part for paths in nested for part in paths[0])
                # Objects with an id and a name each, as in exports of one path, from the top down.
                return [names] if all(len(paths[0]) == 1 for paths in nested) else [paths[0] for paths in nested]
            return [path for paths in nested for path in paths]
        texts = [_decoded(text) for text in map(text_of, value) if text]
        separator = self.notation.separator
        if any(_ALWAYS.search(text) if separator is None else separator in text for text in texts):
            return [path for text in texts for path in self._paths_of_text(text)]
        return [tuple(_tidy(text) for text in texts)] if texts else []

    def _paths_of_text(self, text: str) -> list[Path]:
        if not text:
            return []
        listed = self.notation.lists(text)
        if listed is not None:
            return [path for each in listed for path in self._paths_in_notation(each)]
        return self._recognised_paths(text)

    def _paths_in_notation(self, text: str) -> list[Path]:
        """The path of a text that is not a list; several where only the list separator is set."""
        parts = self.notation.parts(text)
        return self._recognised_paths(text) if parts is None else [parts]

    def _recognised_paths(self, text: str) -> list[Path]:
        if not _ALWAYS.search(text):
            return self._paths_without_certain_separator(text)
        mixed = self._known_path(re.split(_ALWAYS.pattern + r"|\s*\|\s*", text))
        if mixed:
            return [mixed]
        paths: list[Path] = []
        for piece in filter(None, _PATHS.split(text.replace(_ESCAPED_COMMA, "\0"))):
            parts = self._split_list(piece)
            paths += [path for path in (_path(part.replace("\0", ",")) for part in parts) if path]
        return paths

    def _split_list(self, text: str) -> list[str]:
        """The paths of a text at its commas, where the catalogue shows that these are paths."""
        pieces = [piece for piece in re.split(r"\s*,\s*", text) if piece]
        if len(pieces) < 2:
            return [text]
        tops = [_ALWAYS.split(piece)[0].casefold() for piece in pieces]
        if self.comma_parts_paths or self.list_is_path or all(top in self._parts for top in tops[1:]):
            return pieces
        # A comma belongs to a name if no piece behind it begins a path anywhere else in the catalogue.
        return pieces if any(self._occurrences.get(top, 0) > 1 for top in tops[1:]) else [text]

    def _paths_without_certain_separator(self, text: str) -> list[Path]:
        plain = text.replace(_ESCAPED_COMMA, "\0")
        for separator in _MAYBE:
            parts = [part for part in separator.split(plain) if part]
            if len(parts) > 1 and (known := self._known_path(parts)):
                return [known]
        if plain.startswith("/") or (plain.count("/") > 1 and "," not in plain):
            return [_parts(plain.split("/"))]
        for between in (r"\s*[\n\r;]\s*", r"\s*,\s*"):
            pieces = [piece for piece in re.split(between, plain) if piece]
            if len(pieces) < 2:
                continue
            if all("/" in piece for piece in pieces[1:]) or any(piece.count("/") > 1 for piece in pieces):
                return [_parts(piece.split("/")) for piece in pieces]
            if self.list_is_path:
                return [_parts(pieces)]
            tight = between != r"\s*,\s*" or ", " not in plain
            if tight or all(self._occurrences.get(piece.casefold(), 0) > 1 for piece in pieces):
                return [_parts([piece]) for piece in pieces]
        for between in (r"\s*\|\|?\s*", r"\s+/\s+"):
            pieces = [piece for piece in re.split(between, plain) if piece]
            if len(pieces) > 1:
                return [_parts(pieces)]
        return [_parts([plain])]

    def _known_path(self, parts: Sequence[str]) -> Path | None:
        """The parts as one path, where each is below the one before it somewhere in the catalogue."""
        folded = [_tidy(part).casefold() for part in parts if part.strip()]
        if len(folded) < 2 or not all(step in self._steps for step in pairwise(folded)):
            return None
        return _parts(parts)


def certain_path(text: str) -> Path:
    """The parts of one path at separators that are never part of a name."""
    return _path(_decoded(text))


def _texts(cell: object) -> list[str]:
    loaded = _loaded(cell)
    if isinstance(loaded, str):
        return [loaded]
    if isinstance(loaded, Mapping):
        return _texts(loaded.get("path", loaded.get("name")))
    if isinstance(loaded, list):
        return [text for each in loaded for text in _texts(each)]
    return []


def _certain_paths(text: str) -> list[Path]:
    """The paths of a text without commas, which may belong to names."""
    if not _ALWAYS.search(text):
        is_path = text.startswith("/") or text.count("/") > 1
        return [_parts(piece.split("/")) for piece in re.split(r"[,;|\n]", text)] if is_path else []
    if "," in text or ("|" in text and text.count(">") <= text.count("|")):
        return []
    return [_path(piece) for piece in _PATHS.split(text) if piece]


def _pieces(text: str) -> set[str]:
    """The names that may begin a path of a cell."""
    pieces = [piece for piece in re.split(r"\s*[,;|\n]\s*", text) if piece]
    tops = {_tidy(_ALWAYS.split(piece)[0]) for piece in pieces}
    return {top for top in tops | {_tidy(_ALWAYS.split(text)[0])} if top}


def _path(text: str) -> Path:
    return _parts(_ALWAYS.split(text))


def _parts(parts: Iterable[str]) -> Path:
    return tuple(tidy for part in parts if (tidy := _tidy(part)))


def _tidy(part: str) -> str:
    return " ".join(part.replace("\0", ",").split())


def _decoded(text: str) -> str:
    """Entities decoded: ``&gt;`` parts a path, and ``&amp;`` is a character of a name."""
    return html.unescape(text) if "&" in text else text


def _loaded(value: object) -> object:
    """A list or an object that a text writes as JSON, as Python or as numpy prints it; else the text of the cell."""
    if isinstance(value, (list, Mapping)):
        return value
    text = _decoded(text_of(value))
    if not text.startswith(("[", "{")):
        return text
    for load in (json.loads, ast.literal_eval):
        try:
            loaded = load(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(loaded, (list, dict)):
            # Python joins texts without a comma between them, as numpy prints them.
            return _NUMPY_LIST.findall(text) if load is ast.literal_eval and _is_numpy(text) else loaded
    found = _NUMPY_LIST.findall(text)
    return found if text.startswith("[") and found else text.strip('[]"')


def _is_numpy(text: str) -> bool:
    return text.startswith("['") and "," not in text and "' '" in text

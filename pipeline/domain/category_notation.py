"""How a source writes categories: the separators of paths, and which of several paths counts."""

from __future__ import annotations

import html
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.category import SEPARATOR, Category
from pipeline.domain.errors import InvalidInput

MAX_SEPARATOR = 10  # characters
# What users write for characters that are hard to type or to quote.
_NAMED_SEPARATORS = {"\\n": "\n", "newline": "\n", "\\t": "\t", "tab": "\t"}

Path = tuple[str, ...]


class CategoryChoice(StrEnum):
    """Which of several paths of one listing becomes its category."""

    DEEPEST_OF_FIRST = "deepest"  # the deepest path that begins with the same category as the first one
    FIRST = "first"
    MOST_SPECIFIC = "specific"  # the path that the fewest rows of the catalogue have


@dataclass(frozen=True, slots=True)
class CategoryNotation:
    """How a source writes categories; None leaves a choice to what is recognised in each file or text.

    ``separator`` stands between the parts of a path, ``list_separator`` between several paths of one listing. With a
    ``separator``, nothing else parts a path; with an empty ``list_separator``, a listing has one path.
    """

    separator: str | None = None
    list_separator: str | None = None
    choice: CategoryChoice | None = None

    @classmethod
    def of(cls, separator: str | None, list_separator: str | None, choice: str | None) -> CategoryNotation:
        """The notation as users write it: ``newline`` and ``tab`` name those characters; raises InvalidInput."""
        path_separator = _separator(separator, "the separator")
        if path_separator == "":
            raise InvalidInput("the separator is empty; give the characters between the parts of a path, such as '/'")
        between = _separator(list_separator, "the list separator")
        if path_separator is not None and path_separator == between:
            raise InvalidInput(f"the separator and the list separator are both '{path_separator}'; give different ones")
        try:
            return cls(path_separator, between, CategoryChoice(choice) if choice else None)
        except ValueError:
            raise InvalidInput(
                f"'{choice}' does not say which of several categories counts; choose one of {', '.join(CategoryChoice)}"
            ) from None

    def merged_with(self, other: CategoryNotation) -> CategoryNotation:
        """This notation, with what it leaves open taken from the other."""
        return CategoryNotation(
            other.separator if self.separator is None else self.separator,
            other.list_separator if self.list_separator is None else self.list_separator,
            self.choice or other.choice,
        )

    def lists(self, text: str) -> list[str] | None:
        """The texts of the paths in a decoded text; None where the notation does not say how they are separated."""
        if self.list_separator is None:
            return None if self.separator is None else [text]
        return text.split(self.list_separator) if self.list_separator else [text]

    def parts(self, text: str) -> Path | None:
        """The parts of one path; None where the notation does not say how they are separated."""
        if self.separator is None:
            return None
        return tuple(tidy for part in text.split(self.separator) if (tidy := _without_canonical_separators(part)))

    def read(self, text: str) -> Category:
        """The category of a text as people and programs write it (see ``Category.read``); InvalidCategory if none."""
        if self.separator is None and self.list_separator is None:
            return Category.read(text)
        decoded = html.unescape(text)
        listed = [text for text in self.lists(decoded) or [decoded] if text.strip()]
        paths = [path for path in map(self._path, listed) if path]
        return Category.parse(SEPARATOR.join(choose_path(paths, self.choice) if paths else ()))

    def _path(self, text: str) -> Path:
        parts = self.parts(text)
        return Category.read(text).path if parts is None else parts


RECOGNISED = CategoryNotation()  # everything is left to what each file or text shows


def choose_path(paths: list[Path], choice: CategoryChoice | None) -> Path:
    """The path that counts: the first, or the deepest of the first one's tree (also for MOST_SPECIFIC, without counts).

    Of equally deep ones, the first counts.
    """
    if choice is CategoryChoice.FIRST:
        return paths[0]
    top = paths[0][0].casefold()
    return max((path for path in paths if path[0].casefold() == top), key=len)


def _without_canonical_separators(name: str) -> str:
    """A name that is stored as one part of a path: `` / `` and `` > `` would part it, see ``Category.parse``."""
    tidy = " ".join(name.split())
    return tidy.replace(" / ", "/").replace(" > ", ">").replace(">>", ">")


def _separator(text: str | None, name: str) -> str | None:
    if text is None:
        return None
    separator = _NAMED_SEPARATORS.get(text.strip().lower(), text) if text.strip() else text
    if len(separator) > MAX_SEPARATOR or any(character.isalnum() for character in separator):
        raise InvalidInput(
            f"{name} is '{text[:40]}'; give at most {MAX_SEPARATOR} characters without letters or digits, "
            "such as '/' or ' > ', or newline or tab"
        )
    return separator

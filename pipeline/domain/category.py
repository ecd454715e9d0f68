"""Category: a path in a taxonomy, such as ``Home Furnishing >> Curtains``."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.errors import InvalidCategory
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

SEPARATOR = " >> "
MAX_DEPTH = 12
MAX_TEXT = 500


@dataclass(frozen=True, slots=True, order=True)
class Category:
    """A non-empty path, from the top category down. ``str()`` gives its canonical text."""

    path: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Category:
        """Read ``A >> B >> C`` (also ``>``, ``/`` with spaces around); empty parts are dropped.

        Raises InvalidCategory when nothing is left, or when it is too deep or too long.
        """
        unified = text.replace(" > ", SEPARATOR).replace(" / ", SEPARATOR)
        parts = tuple(" ".join(part.split()) for part in unified.split(">>"))
        parts = tuple(part for part in parts if part)
        if not parts:
            raise InvalidCategory(Reason(ReasonCode.CATEGORY_EMPTY))
        if len(parts) > MAX_DEPTH or len(text) > MAX_TEXT:
            raise InvalidCategory(Reason.of(ReasonCode.CATEGORY_TOO_LONG, levels=MAX_DEPTH, characters=MAX_TEXT))
        return cls(parts)

    def at_level(self, level: int) -> Category:
        """The ancestor at ``level`` (1 = top), or the category itself when it is not that deep."""
        return Category(self.path[: max(level, 1)])

    @property
    def level(self) -> int:
        """Its depth; a top category has level 1."""
        return len(self.path)

    def __str__(self) -> str:
        return SEPARATOR.join(self.path)

"""Category: a path in a taxonomy, such as ``Home Furnishing >> Curtains``."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from pipeline.domain.errors import InvalidCategory
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

SEPARATOR = " >> "
MAX_DEPTH = 12
MAX_LENGTH = 500
_NOTATION = re.compile(r"\s*(?:>>|->|[>»›→▸]|::)\s*|\s+[/|]\s+")


@dataclass(frozen=True, slots=True, order=True)
class Category:
    """A non-empty path of names, from the top category down; ``str()`` returns its canonical text."""

    path: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Category:
        """Parse ``A >> B >> C`` (also with `` > `` or `` / ``); empty parts are dropped.

        Raises InvalidCategory when no part is left, or when the path is too deep or too long.
        """
        unified = text.replace(" > ", SEPARATOR).replace(" / ", SEPARATOR)
        parts = tuple(" ".join(part.split()) for part in unified.split(">>"))
        parts = tuple(part for part in parts if part)
        if not parts:
            raise InvalidCategory(Reason(ReasonCode.CATEGORY_EMPTY))
        if len(parts) > MAX_DEPTH or len(text) > MAX_LENGTH:
            raise InvalidCategory(Reason.of(ReasonCode.CATEGORY_TOO_LONG, levels=MAX_DEPTH, characters=MAX_LENGTH))
        return cls(parts)

    @classmethod
    def read(cls, text: str) -> Category:
        """Read a path as people and programs write it: with ``>``, ``»``, ``→``, ``::``, or ``/`` and ``|`` in blanks.

        Entities such as ``&gt;`` are decoded. Raises InvalidCategory as ``parse`` does.
        """
        return cls.parse(_NOTATION.sub(SEPARATOR, html.unescape(text)))

    def at_level(self, level: int) -> Category:
        """The ancestor at ``level`` (1 is the top), or the category itself if it is not that deep."""
        return Category(self.path[: max(level, 1)])

    @property
    def level(self) -> int:
        """The depth of the category; a top category has level 1."""
        return len(self.path)

    def __str__(self) -> str:
        return SEPARATOR.join(self.path)


def holds_name(text: str) -> bool:
    """Whether anything but separators and blanks is in a text, so that it can be a category in some notation."""
    return bool(_NOTATION.sub("", html.unescape(text)).strip())

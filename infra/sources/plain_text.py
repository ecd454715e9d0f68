"""Plain text from what contributors typed: no entities, tags, control characters or surplus blanks."""

from __future__ import annotations

import html
import re
import unicodedata

from infra.catalogue_files.values import EMPTY

TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
HIDDEN_ELEMENT = re.compile(r"<(script|style)\b[^>]*>.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# The databases' own markup: allergens stand between underscores. The pattern begins with an underscore, not with what
# may not come before it, so that a text is searched for underscores only.
ALLERGEN = re.compile(r"_(?<![^\W_]_)_*([^\W_](?:[^_\n]{0,200}[^\W_])?)_+(?![^\W_])")
LONGEST_EMPTY = max(map(len, EMPTY))
MAX_UNESCAPES = 3  # "&amp;amp;eacute;" comes of saving a form several times


def plain_text(value: object) -> str:
    """One line of text from a value of any type; empty for one without text (a list, an object, true, ``N/A``)."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _number(value)
    if "&" in text:
        for _ in range(MAX_UNESCAPES):
            escaped, text = text, html.unescape(text)
            if text == escaped:
                break
    text = TAG.sub(" ", HIDDEN_ELEMENT.sub(" ", text)) if "<" in text else text
    if not text.isprintable():  # else it has no blanks or invisible characters of these kinds
        text = "".join(" " if _is_blank(c) else c for c in text if not _is_invisible(c))
    text = " ".join(text.split())
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "" if len(text) <= LONGEST_EMPTY and text.lower() in EMPTY else text


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def without_allergen_marks(text: str) -> str:
    """Ingredients without the underscores that mark allergens."""
    return ALLERGEN.sub(_inner, text) if "_" in text else text


def _inner(found: re.Match[str]) -> str:  # calling a function is faster than filling in a template
    return found[1]


def _is_blank(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Zl", "Zp", "Zs"}


def _is_invisible(character: str) -> bool:
    # Marks of direction and order, soft hyphens, surrogates, private and unassigned. Joiners belong to letters.
    return unicodedata.category(character) in {"Cf", "Cs", "Co", "Cn"} and character not in "\u200c\u200d"

"""Texts as contributors typed them, made plain: entities, tags, control characters and blanks gone."""

from __future__ import annotations

import html
import re
import unicodedata

from infra.catalogue_files.values import EMPTY

TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
UNSEEN = re.compile(r"<(script|style)\b[^>]*>.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# Markup of the databases themselves: allergens stand between underscores. It begins with one, not with what is not to
# be before it, so that a text is searched for underscores only.
ALLERGEN = re.compile(r"_(?<![^\W_]_)_*([^\W_](?:[^_\n]{0,200}[^\W_])?)_+(?![^\W_])")
LONGEST_EMPTY = max(map(len, EMPTY))
UNFOLDINGS = 3  # "&amp;amp;eacute;" comes of saving a form several times


def plain_text(value: object) -> str:
    """One line of text of whatever came; empty for what holds none (a list, an object, true, ``N/A``)."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _number(value)
    if "&" in text:
        for _ in range(UNFOLDINGS):
            folded, text = text, html.unescape(text)
            if text == folded:
                break
    text = TAG.sub(" ", UNSEEN.sub(" ", text)) if "<" in text else text
    if not text.isprintable():  # else it has nothing of either kind
        text = "".join(" " if _is_blank(c) else c for c in text if not _is_invisible(c))
    text = " ".join(text.split())
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "" if len(text) <= LONGEST_EMPTY and text.lower() in EMPTY else text


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def without_marks(text: str) -> str:
    """Ingredients without the underscores that mark allergens."""
    return ALLERGEN.sub(_inner, text) if "_" in text else text


def _inner(found: re.Match[str]) -> str:  # a function is called faster than a template is filled in
    return found[1]


def _is_blank(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Zl", "Zp", "Zs"}


def _is_invisible(character: str) -> bool:
    # Marks of direction and order, soft hyphens, surrogates, private and unassigned. Joiners belong to letters.
    return unicodedata.category(character) in {"Cf", "Cs", "Co", "Cn"} and character not in "\u200c\u200d"

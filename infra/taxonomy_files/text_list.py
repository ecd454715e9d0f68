"""Text with one category per line: the formats of Google's and Shopify's taxonomies, and plain lists of paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from infra.catalogue_files.category_cells import certain_path
from infra.taxonomy_files.listed_rows import ListedRow
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

MAX_LINE = 1_000  # characters
MAX_WORDS = 12  # of a line without a separator; a longer one is a sentence, not a name
# https://www.google.com/basepages/producttype/taxonomy-with-ids.en-US.txt: "1 - Animals & Pet Supplies"
_GOOGLE_ID = re.compile(r"(\d+)\s+-\s+(\S.*)")
# https://github.com/Shopify/product-taxonomy: "gid://shopify/TaxonomyCategory/ap : Animals & Pet Supplies"
_SHOPIFY_ID = re.compile(r"(gid://\S+)\s+:\s+(\S.*)")
_COMMENT = re.compile(r"#|//|--")
_SLASHES = re.compile(r"\s+[/|]\s+|\t+")
_BULLET = re.compile(r"^[-*•]\s+")
_INDENT = re.compile(r"[ \t]*")


def text_rows(lines: Iterable[str]) -> Iterator[ListedRow]:
    """The categories of a text, a row each; blank lines and comments are passed over.

    A path is written with ``>`` and the like, with ``/`` or ``|`` between blanks, with tabs, or as a name that is
    indented below that of its parent.
    """
    kept = [(number, _unquoted(line.rstrip())) for number, line in enumerate(lines, 1) if _has_category(line)]
    has_ids = sum(bool(_GOOGLE_ID.fullmatch(line.strip())) for _, line in kept) > 0.9 * len(kept)
    parted = any(len(certain_path(line)) > 1 for _, line in kept)
    indented = not parted and any(_indent_of(line) for _, line in kept)
    above: list[tuple[int, str]] = []  # the indents and names of the lines that the next one may be below
    for number, line in kept:
        external_id, text = _split_id(line.strip(), with_numbers=has_ids)
        if indented:
            indent, name = _indent_of(line), _BULLET.sub("", text)
            above = [(width, parent) for width, parent in above if width < indent]
            path = (*(parent for _, parent in above), name)
            above.append((indent, name))
        elif parted:
            path = certain_path(text)
        else:
            path = tuple(part for part in _SLASHES.split(_BULLET.sub("", text)) if part)
        problem = None
        if len(line) > MAX_LINE or max((len(name.split()) for name in path), default=0) > MAX_WORDS:
            problem = Reason(ReasonCode.NOT_A_TAXONOMY)
        yield ListedRow(number, path, external_id=external_id, problem=problem)


def _has_category(line: str) -> bool:
    text = line.strip().strip("\ufeff")
    return bool(text) and not _COMMENT.match(text)


def _unquoted(line: str) -> str:
    """The line without the quotes of a CSV file that has one column."""
    return line[1:-1].replace('""', '"') if len(line) > 1 and line[0] == line[-1] == '"' else line


def _split_id(text: str, *, with_numbers: bool) -> tuple[str, str]:
    """The id in front of a path, and the path."""
    found = _SHOPIFY_ID.fullmatch(text) or (_GOOGLE_ID.fullmatch(text) if with_numbers else None)
    return (found[1], found[2]) if found else ("", text)


def _indent_of(line: str) -> int:
    blanks = _INDENT.match(line)
    return len(blanks[0].expandtabs(4)) if blanks else 0

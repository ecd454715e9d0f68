"""What is to be asked of product databases again and again, as a setting tells it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from infra.schedules import schedule_line
from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import ProductQuery, QueryKind, named_query

NUMBER = re.compile(r"[0-9]{1,9}")
WORDS = (*(kind.value for kind in QueryKind), "every", "limit", "source", "taxonomy")


@dataclass(frozen=True, slots=True)
class StandingQuery:
    """A query that a database is to be asked again and again; ``source`` and ``taxonomy`` are empty for the usual."""

    database: str
    query: ProductQuery
    schedule: str
    source: str = ""
    taxonomy: str = ""


def read_standing(line: str) -> list[StandingQuery]:
    """What is to be asked again and again, as a setting tells it; entries have semicolons between them.

    An entry is a database and words ``name=value``: one of category, text, barcodes, export and changes, then every (a
    cron line in quotes, or seconds), and as wanted limit, source and taxonomy. Raises InvalidInput with the entry.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise InvalidInput(f"a quotation mark is not closed in: {line}") from error
    entries: list[list[str]] = [[]]
    for word in words:
        if set(word) == {";"}:
            entries.append([])
        else:
            entries[-1].append(word)
    return [_standing(entry) for entry in entries if entry]


def _standing(entry: list[str]) -> StandingQuery:
    database, *words = entry
    named: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in WORDS or name in named:
            raise InvalidInput(f"'{' '.join(entry)}': '{word}' is not one of {', '.join(f'{w}=' for w in WORDS)} once")
        named[name] = value
    limit, every = named.pop("limit", ""), named.pop("every", "")
    source, taxonomy = named.pop("source", ""), named.pop("taxonomy", "")
    try:
        if limit and not NUMBER.fullmatch(limit):
            raise InvalidInput("the limit is a number of products")
        changes = named.pop("changes", None) is not None
        query = named_query(**named, changes=changes, limit=int(limit) if limit else None)
        return StandingQuery(database, query, schedule_line(every), source, taxonomy)
    except InvalidInput as error:
        raise InvalidInput(f"'{' '.join(entry)}': {error}") from error

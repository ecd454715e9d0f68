"""What somebody asks a product database for, by names, as a query."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from pipeline.domain.errors import InvalidInput
from pipeline.domain.schedule import schedule_line
from pipeline.domain.source import ProductQuery, QueryKind

# The word for the export that a database publishes, instead of a path or an address.
PUBLISHED = "published"
NUMBER = re.compile(r"[0-9]{1,9}")
WORDS = (*(kind.value for kind in QueryKind), "every", "limit", "source", "taxonomy")


def named_query(
    *,
    category: str = "",
    text: str = "",
    barcodes: str = "",
    export: str = "",
    changes: bool = False,
    limit: int | None = None,
    mark: str = "",
) -> ProductQuery:
    """The one query that was named; ``mark`` stands before names where they are told (``--`` of options).

    Raises InvalidInput when there is none, or more than one.
    """
    named = {QueryKind.CATEGORY: category, QueryKind.TEXT: text, QueryKind.BARCODES: barcodes, QueryKind.EXPORT: export}
    given = [(kind, value.strip()) for kind, value in named.items() if value.strip()]
    if changes:
        given.append((QueryKind.CHANGES, ""))
    if len(given) != 1:
        names = [f"{mark}{kind}" for kind in QueryKind]
        raise InvalidInput(f"say what to collect, by one of {', '.join(names[:-1])} and {names[-1]}")
    kind, value = given[0]
    return ProductQuery(kind, "" if kind is QueryKind.EXPORT and value == PUBLISHED else value, limit)


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

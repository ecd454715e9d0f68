"""Mutations of SQL inside Python string literals: conditions, assignments, locks and limits changed one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

# String values of one column type: a literal is replaced by the next of its group, which the database accepts too.
SIBLINGS = (
    ("waiting", "sent", "leased", "done", "superseded", "dead"),
    ("retry", "requeued", "failed", "died", "fenced"),
    ("pending", "stored", "unusable", "unreachable"),
    ("new", "changed", "unchanged", "rejected"),
    ("assigned", "needs_review", "abstained"),
    ("candidate", "active", "retired"),
    ("proposed", "accepted", "refused"),
    ("categorise", "train", "purge", "study", "collect", "map"),
    ("interactive", "pipeline", "import", "backfill"),
)
WORDS = {"LEAST": "greatest", "GREATEST": "least", "MIN": "max", "MAX": "min"}
SIGNS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
# Where a condition, or another part of a clause, begins and ends.
BOUNDS = frozenset(
    {"WHERE", "ON", "WHEN", "HAVING", "THEN", "ELSE", "SELECT", "FROM", "SET", "VALUES", "GROUP", "ORDER", "LIMIT"}
    | {"OFFSET", "RETURNING", "FOR", "UNION", "JOIN", "LEFT", "RIGHT", "INNER", "CROSS", "FULL", "AND", "OR", "USING"}
    | {"AS", "UPDATE", "DELETE", "INSERT", "DO", "WITH", "FILTER", ","}
)
ENDS_ASSIGNMENTS = frozenset({"FROM", "WHERE", "RETURNING"})
ENDS_ORDER = frozenset({"LIMIT", "OFFSET", "FOR", "RETURNING", "UNION", "ROWS", "RANGE"})

_SQL = re.compile(r"\s*(?:(?:SELECT|INSERT|UPDATE|DELETE|WITH|WHERE|AND|ORDER BY|ON CONFLICT)\b|COALESCE\()")
_LITERAL = re.compile(r"(?P<prefix>[A-Za-z]{0,2})(?P<quote>\"\"\"|'''|\"|')(?P<body>(?:\\.|.)*?)(?P=quote)", re.DOTALL)
_TOKEN = re.compile(
    r"(?P<gap>(?:\s|--[^\n]*)+)|(?P<hole>\{[^{}]*\})|(?P<text>'(?:[^']|'')*')|(?P<param>:[A-Za-z_]\w*)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*(?:\.\w+)*)|(?P<sign>::|=>|<=|>=|<>|!=|\|\||->>|->|.)",
    re.DOTALL,
)


class Edit(NamedTuple):
    """A replacement of ``source[start:end]`` by ``after``, made by the named operator."""

    operator: str
    start: int
    end: int
    after: str


@dataclass(slots=True)
class Token:
    """A token of SQL, or a parenthesised group or CASE … END with its tokens in ``inner``. ``word`` is upper case."""

    kind: str
    word: str
    start: int
    end: int
    inner: list[Token] = field(default_factory=list)


def is_sql(text: str) -> bool:
    """Whether a string literal's text is an SQL statement or a part of one; its keywords are in capitals."""
    return _SQL.match(text) is not None


def edits(source: str) -> Iterator[Edit]:
    """Every mutation of the SQL in ``source``, one or several adjacent string literals as written in Python.

    Offsets count from the beginning of ``source``. A removal keeps the quotes between adjacent literals.
    """
    text = _plain(source)
    groups = _groups(_tokens(text))
    for edit in (edit for group in groups for operator in OPERATORS for edit in operator(text, group)):
        kept = "".join(
            s for s, t in zip(source[edit.start : edit.end], text[edit.start : edit.end], strict=True) if s != t
        )
        yield edit._replace(after=edit.after + kept) if kept else edit


def _plain(source: str) -> str:
    """The source with everything outside the literals' bodies (quotes, prefixes, line breaks) made blank."""
    plain = [" "] * len(source)
    for literal in _LITERAL.finditer(source):
        plain[literal.start("body") : literal.end("body")] = literal["body"]
    return "".join(plain)


def _tokens(text: str) -> list[Token]:
    """The tokens at the top level of the text; those inside parentheses and CASE … END are in their groups."""
    stack: list[list[Token]] = [[]]
    for match in _TOKEN.finditer(text):
        kind, word = match.lastgroup or "", match.group().upper()
        if kind == "gap":
            continue
        if len(stack) > 1 and word in {")", "END"}:
            stack.pop()
            stack[-1][-1].end = match.end()
            continue
        stack[-1].append(Token(kind, word, match.start(), match.end()))
        if word in {"(", "CASE"}:
            stack.append(stack[-1][-1].inner)
    return stack[0]


def _groups(tokens: list[Token]) -> Iterator[list[Token]]:
    yield tokens
    for token in tokens:
        if token.inner:
            yield from _groups(token.inner)


def _word(group: list[Token], index: int) -> str:
    return group[index].word if 0 <= index < len(group) else ""


def _bound(group: list[Token], index: int) -> bool:
    """Whether a token parts two conditions: not the AND of BETWEEN, nor the FROM of IS DISTINCT FROM."""
    word = group[index].word
    if word == "AND":
        nearest = next((t.word for t in reversed(group[:index]) if t.word in {"BETWEEN", "AND", "OR"}), "")
        return nearest != "BETWEEN"
    return word in BOUNDS and not (word == "FROM" and _word(group, index - 1) == "DISTINCT")


def conditions(text: str, group: list[Token]) -> Iterator[Edit]:
    """One of several conditions left out; the only condition of a WHERE made true, that of a WHEN negated."""
    bounds = [-1, *(i for i in range(len(group)) if _bound(group, i)), len(group)]
    for left, right in pairwise(bounds):
        if right - left < 2:
            continue
        before, after = _word(group, left), _word(group, right)
        start, end = group[left + 1].start, group[right - 1].end
        if before == "AND" or (before == "OR" and after != "AND"):
            yield Edit("sql condition left out", group[left].start, end, "")
        elif after in {"AND", "OR"}:
            yield Edit("sql condition left out", start, group[right + 1].start, "")
        elif before in {"WHERE", "HAVING"}:
            yield Edit("sql condition left out", start, end, "TRUE")
        elif before == "WHEN" and group[left + 1].word != "NOT":
            yield Edit("sql condition negated", start, end, f"NOT ({text[start:end]})")


def assignments(text: str, group: list[Token]) -> Iterator[Edit]:
    """One assignment of SET left out; the only one made to assign the column to itself."""
    for first in (i + 1 for i, token in enumerate(group) if token.word == "SET"):
        for start, end, several in _items(group, first, ENDS_ASSIGNMENTS):
            if several:
                yield _without(group, "sql assignment left out", start, end, first)
            elif end - start > 2:
                column = text[group[start].start : group[start].end]
                yield Edit("sql assignment left out", group[start + 2].start, group[end - 1].end, column)


def order(text: str, group: list[Token]) -> Iterator[Edit]:
    """The direction of one ORDER BY item reversed."""
    for first in (i + 2 for i, t in enumerate(group) if t.word == "ORDER" and _word(group, i + 1) == "BY"):
        for start, end, _ in _items(group, first, ENDS_ORDER):
            told = [i for i in range(start, end) if group[i].word in {"ASC", "DESC"}]
            if told:
                token = group[told[0]]
                yield Edit("sql order reversed", token.start, token.end, "ASC" if token.word == "DESC" else "DESC")
            elif end > start:
                last = next((i for i in range(start, end) if group[i].word == "NULLS"), end) - 1
                item = text[group[start].start : group[last].end]
                yield Edit("sql order reversed", group[start].start, group[last].end, f"{item} DESC")


def clauses(_text: str, group: list[Token]) -> Iterator[Edit]:
    """A lock, SKIP LOCKED, ON CONFLICT or DISTINCT left out; LEFT JOIN made a JOIN, UNION ALL a UNION."""
    for index, token in enumerate(group):
        following = _word(group, index + 1)
        if token.word == "FOR" and following in {"UPDATE", "SHARE", "NO", "KEY"}:
            last = index + {"NO": 3, "KEY": 2}.get(following, 1)
            while _word(group, last + 1) in {"OF", ",", "SKIP", "LOCKED", "NOWAIT"} or _word(group, last) in {
                "OF",
                ",",
            }:
                last += 1
            yield Edit("sql lock left out", token.start, group[last].end, "")
        elif token.word == "SKIP" and following == "LOCKED":
            yield Edit("sql skip locked left out", token.start, group[index + 1].end, "")
        elif token.word == "ON" and following == "CONFLICT":
            last = next((i for i in range(index, len(group)) if group[i].word == "RETURNING"), len(group)) - 1
            yield Edit("sql on conflict left out", token.start, group[last].end, "")
        elif token.word == "LEFT" and following == "JOIN":
            yield Edit("sql left join made inner", token.start, group[index + 1].start, "")
        elif token.word == "UNION" and following == "ALL":
            yield Edit("sql union made distinct", token.end, group[index + 1].end, "")
        elif token.word == "DISTINCT" and _word(group, index - 1) not in {"IS", "NOT"} and following != "ON":
            yield Edit("sql distinct left out", token.start, token.end, "")


def tokens(text: str, group: list[Token]) -> Iterator[Edit]:
    """Comparisons, NULL tests, NOT, functions, arithmetic, numbers and states changed in place."""
    for index, token in enumerate(group):
        start, end, before, following = token.start, token.end, _word(group, index - 1), _word(group, index + 1)
        if token.word in SIGNS and token.kind == "sign":
            yield Edit("sql comparison", start, end, SIGNS[token.word])
        elif token.word == "IS" and following == "NULL":
            yield Edit("sql null test", start, end, "IS NOT")
        elif token.word == "IS" and following == "NOT" and _word(group, index + 2) == "NULL":
            yield Edit("sql null test", start, group[index + 1].end, "IS")
        elif token.word == "NOT" and before != "IS" and following != "MATERIALIZED":
            yield Edit("sql not left out", start, end, "")
        elif token.word in WORDS and following == "(":
            yield Edit("sql function", start, end, WORDS[token.word])
        elif token.word in {"+", "-"} and before not in {"", ","} and group[index - 1].kind != "sign":
            yield Edit("sql arithmetic", start, end, "-" if token.word == "+" else "+")
        elif token.word in {"*", "/"} and before not in {"", ",", "SELECT", "RETURNING", "."}:
            yield Edit("sql arithmetic", start, end, "/" if token.word == "*" else "*")
        elif token.kind == "number":
            number = text[start:end]
            yield Edit("sql number", start, end, str(float(number) + 1 if "." in number else int(number) + 1))
        elif token.kind == "text":
            yield from _state(text, token)
        if token.word == "IN" and following == "(" and len(group[index + 1].inner) > 1:
            inner = group[index + 1].inner
            for first, last, several in _items(inner, 0, frozenset()):
                if several and inner[first].kind == "text":
                    yield _without(inner, "sql list item left out", first, last, 0)


def _state(text: str, token: Token) -> Iterator[Edit]:
    value = text[token.start + 1 : token.end - 1]
    for family in SIBLINGS:
        if value in family:
            other = family[(family.index(value) + 1) % len(family)]
            yield Edit("sql state", token.start, token.end, f"'{other}'")
            return


def _items(group: list[Token], first: int, ends: frozenset[str]) -> Iterator[tuple[int, int, bool]]:
    """The items between commas from ``first`` on, as half-open ranges of tokens, and whether there are several."""
    stop = next(
        (i for i in range(first, len(group)) if group[i].word in ends and _word(group, i - 1) != "DISTINCT"), len(group)
    )
    commas = [first - 1, *(i for i in range(first, stop) if group[i].word == ","), stop]
    for left, right in pairwise(commas):
        if right > left + 1:
            yield left + 1, right, len(commas) > 2


def _without(group: list[Token], operator: str, start: int, end: int, first: int) -> Edit:
    """The item left out, with the comma after it, or before it when it is the last."""
    if _word(group, end) == ",":
        return Edit(operator, group[start].start, group[end + 1].start, "")
    left = start - 1 if start > first else start
    return Edit(operator, group[left].start, group[end - 1].end, "")


OPERATORS = (conditions, assignments, order, clauses, tokens)

"""The mutations of SQL: each statement with all that is made of it."""

from __future__ import annotations

import pytest

from tests.mutation.sql import edits, is_sql


def mutated(source: str, operator: str) -> set[str]:
    """What the operator makes of a literal, with blanks folded and without the quotes."""
    made = (source[: e.start] + e.after + source[e.end :] for e in edits(source) if e.operator == operator)
    return {" ".join(text.strip('"').split()) for text in made}


@pytest.mark.parametrize(
    ("operator", "before", "after"),
    [
        ("sql assignment left out", "UPDATE t SET a = 1, b = f(2, 3) WHERE c", {"UPDATE t SET b = f(2, 3) WHERE c",
                                                                               "UPDATE t SET a = 1 WHERE c"}),
        ("sql assignment left out", "UPDATE t SET a = :x RETURNING id", {"UPDATE t SET a = a RETURNING id"}),
        ("sql condition left out", "SELECT 1 FROM t WHERE a = 1 AND b", {"SELECT 1 FROM t WHERE b",
                                                                        "SELECT 1 FROM t WHERE a = 1"}),
        ("sql condition left out", "SELECT 1 FROM t WHERE a LIMIT 1", {"SELECT 1 FROM t WHERE TRUE LIMIT 1"}),
        ("sql condition left out", "SELECT 1 WHERE a OR b AND c", {"SELECT 1 WHERE b AND c", "SELECT 1 WHERE a OR c",
                                                                  "SELECT 1 WHERE a OR b"}),
        ("sql condition left out", "SELECT 1 WHERE a BETWEEN 1 AND 2 AND b", {"SELECT 1 WHERE b",
                                                                             "SELECT 1 WHERE a BETWEEN 1 AND 2"}),
        ("sql condition left out", "DELETE FROM t WHERE a IS DISTINCT FROM b AND c",
         {"DELETE FROM t WHERE c", "DELETE FROM t WHERE a IS DISTINCT FROM b"}),
        ("sql condition negated", "SELECT CASE WHEN a > 1 THEN b END", {"SELECT CASE WHEN NOT (a > 1) THEN b END"}),
        ("sql order reversed", "SELECT a FROM t ORDER BY a, b DESC LIMIT 1",
         {"SELECT a FROM t ORDER BY a DESC, b DESC LIMIT 1", "SELECT a FROM t ORDER BY a, b ASC LIMIT 1"}),
        ("sql order reversed", "SELECT a ORDER BY a NULLS LAST", {"SELECT a ORDER BY a DESC NULLS LAST"}),
        ("sql lock left out", "SELECT a FROM t LIMIT 1 FOR UPDATE OF t SKIP LOCKED", {"SELECT a FROM t LIMIT 1"}),
        ("sql lock left out", "WITH f AS (SELECT a FROM t FOR UPDATE) SELECT a FROM f",
         {"WITH f AS (SELECT a FROM t ) SELECT a FROM f"}),
        ("sql skip locked left out", "SELECT a FOR UPDATE SKIP LOCKED", {"SELECT a FOR UPDATE"}),
        ("sql on conflict left out", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING RETURNING id",
         {"INSERT INTO t VALUES (1) RETURNING id"}),
        ("sql comparison", "SELECT a < b, f(x => 1), c >= d", {"SELECT a <= b, f(x => 1), c >= d",
                                                               "SELECT a < b, f(x => 1), c > d"}),
        ("sql null test", "SELECT a IS NULL, b IS NOT NULL", {"SELECT a IS NOT NULL, b IS NOT NULL",
                                                             "SELECT a IS NULL, b IS NULL"}),
        ("sql not left out", "SELECT NOT a, b IS NOT NULL", {"SELECT a, b IS NOT NULL"}),
        ("sql list item left out", "SELECT a IN ('x', 'y')", {"SELECT a IN ('y')", "SELECT a IN ('x')"}),
        ("sql state", "SELECT a = 'sent', b = 'of no column'", {"SELECT a = 'leased', b = 'of no column'"}),
        ("sql function", "SELECT least(a, b), max(c)", {"SELECT greatest(a, b), max(c)", "SELECT least(a, b), min(c)"}),
        ("sql number", "SELECT a + 1, '2', :x3", {"SELECT a + 2, '2', :x3"}),
        ("sql arithmetic", "SELECT count(*), a + -b, c * d, t.*",
         {"SELECT count(*), a - -b, c * d, t.*", "SELECT count(*), a + -b, c / d, t.*"}),
        ("sql left join made inner", "SELECT 1 FROM a LEFT JOIN b ON c", {"SELECT 1 FROM a JOIN b ON c"}),
    ],
)  # fmt: skip
def test_each_operator(operator: str, before: str, after: set[str]) -> None:
    assert mutated(f'"{before}"', operator) == after


def test_adjacent_literals_keep_their_quotes() -> None:
    source = '"UPDATE t SET a = 1, "\n    f"b = {two} WHERE c"'
    made = {source[: e.start] + e.after + source[e.end :] for e in edits(source) if "assignment" in e.operator}
    assert {eval(f"({text})", {"two": 2}) for text in made} == {
        "UPDATE t SET b = 2 WHERE c",
        "UPDATE t SET a = 1 WHERE c",
    }


@pytest.mark.parametrize("text", ["SELECT 1", "\n   UPDATE t SET a = 1", "WITH a AS (SELECT 1) SELECT 2", "AND a = 1"])
def test_sql_is_told_by_how_it_begins(text: str) -> None:
    assert is_sql(text)


@pytest.mark.parametrize("text", ["", "Select a file", "SELECTED", "with care", "updated", "INSERTED rows"])
def test_words_are_no_sql(text: str) -> None:
    assert not is_sql(text)

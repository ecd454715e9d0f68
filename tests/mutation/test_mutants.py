"""The mutants of Python code: what each operator makes, what is left alone, how a mutant is named."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.mutation.__main__ import ROOT, read_outcomes, summary
from tests.mutation.mutants import mutants
from tests.mutation.runner import CallMap, Outcome, try_mutant
from tests.mutation.targets import EQUIVALENT, LEFT_OUT, MODULES, TESTS, modules, read_equivalents


def made(source: str, operator: str) -> set[str]:
    """The sources the operator makes of one."""
    return {mutant.apply(source) for mutant in mutants("a.py", source) if mutant.operator == operator}


@pytest.mark.parametrize(
    ("operator", "before", "after"),
    [
        ("comparison", "a < b", {"a <= b"}),
        ("comparison", "a <= b != c", {"a < b != c", "a <= b == c"}),
        ("comparison", "(a) not in (b)", {"(a) in (b)"}),
        ("comparison", "a is not None", {"a is None"}),
        ("operand left out", "x = a and (b or c)", {"x = True and (b or c)", "x = a and (True)",
                                                   "x = a and (False or c)", "x = a and (b or False)"}),
        ("and/or", "x = a or b", {"x = a and b"}),
        ("condition negated", "x = 1 if f(a) else 2", {"x = 1 if not (f(a)) else 2"}),
        ("condition negated", "while a < b: f()", {"while not (a < b): f()"}),
        ("condition negated", "x = 1 if a is None else 2", set()),  # the comparison is changed already
        ("filter left out", "x = [a for a in b if a.c]", {"x = [a for a in b if True]"}),
        ("not/minus left out", "x = not a", {"x = (a)"}),
        ("constant", "x = 3", {"x = 4"}),
        ("constant", "x = 0.5", {"x = 1.5"}),
        ("constant", "x = f(True, 'text')", {"x = f(False, 'text')"}),
        ("arithmetic", "x = a + b * c", {"x = a - b * c", "x = a + b / c"}),
        ("arithmetic", "x = f'{a}' + b", set()),
        ("union left out", "x = a | b", {"x = (a)"}),
        ("keyword left out", "f(a, b=1, c=2)", {"f(a,  c=2)", "f(a, b=1, )"}),
        ("keyword left out", "x = zip(a, b, strict=True)", set()),
        ("function", "x = max(a, b)", {"x = min(a, b)"}),
        ("call left out", "x = insert(T).on_conflict_do_nothing().values(v)", {"x = insert(T).values(v)"}),
        ("element left out", "x = {1, 2}", {"x = {1}", "x = {2}"}),
        ("element left out", "x = (A.B, A.C)", {"x = (A.B,)", "x = (A.C,)"}),
        ("element left out", "x = (a, b)", set()),
        ("statement left out", "f(a)", {"pass"}),
        ("statement left out", "a += 1", {"pass"}),
        ("statement left out", "a.b = c[d] = 1\na.b = 1", {"a.b = c[d] = 1\npass"}),
        ("statement left out", "raise E(f'{1 + 1}')", {"pass"}),
        ("break/continue", "for a in b:\n    break", {"for a in b:\n    continue"}),
        ("return value", "def f() -> list[int]:\n    return g()", {"def f() -> list[int]:\n    return []"}),
        ("return value", "def f() -> int | None:\n    return g()", {"def f() -> int | None:\n    return None"}),
        ("return value", "def f() -> bool:\n    return g()", {"def f() -> bool:\n    return not (g())"}),
    ],
)  # fmt: skip
def test_each_operator(operator: str, before: str, after: set[str]) -> None:
    assert made(before, operator) == after


@pytest.mark.parametrize(
    "source",
    [
        '"""Words with 1 and 2."""',
        "import a",
        "def f(a: Literal[1] | None) -> Literal[2]: ...",
        "@d(frozen=True)\nclass A: ...",
        "assert a is not None",
        "log.info('done', extra=1)",
        "class A:\n    def __repr__(self) -> str:\n        return f(1)",
        "Either = tuple[A, B | None]",
        "x = f'{a + 1} and {b or c}'",
    ],
)
def test_words_types_and_logging_are_left_alone(source: str) -> None:
    assert mutants("a.py", source) == []


def test_sql_is_mutated_where_it_stands() -> None:
    source = dedent(
        '''
        NOW = "now()"
        GIVE = text(
            f"""
            UPDATE slots SET free_at = {NOW} + 1
            WHERE host = :host AND free_at = :until
            """
        )
        '''
    )
    found = {f"{m.line} {m.where} {m.before} -> {m.after}": m.apply(source) for m in mutants("a.py", source)}
    without_fence = found["6 GIVE AND free_at = :until -> "]
    assert without_fence == source.replace(" AND free_at = :until", " ")


def test_places_are_told_in_characters_whatever_the_encoding() -> None:
    assert made("x = f('né', '→') + 1", "constant") == {"x = f('né', '→') + 2"}


def test_alike_mutants_have_keys_of_their_own() -> None:
    source = "class A:\n    def f(self):\n        g(1)\n        g(1)\n"
    keys = [m.key for m in mutants("a.py", source) if m.operator == "constant"]
    assert keys == ["a.py A.f constant: 1 -> 2", "a.py A.f constant: 1 -> 2 #2"]


def test_equivalent_mutants_are_read_with_their_reasons() -> None:
    text = "# a remark\na.py A.f constant: 1 -> 2\n    because of this\n    and that\n\na.py X constant: 3 -> 4\n"
    assert read_equivalents(text) == {
        "a.py A.f constant: 1 -> 2": "because of this and that",
        "a.py X constant: 3 -> 4": "",
    }


def test_every_equivalent_mutant_exists_and_has_a_reason() -> None:
    reasons = read_equivalents(EQUIVALENT.read_text(encoding="utf-8"))
    existing = {m.key for path in modules(ROOT) for m in mutants(path, (ROOT / path).read_text(encoding="utf-8"))}
    assert set(reasons) <= existing
    assert all(reasons.values())


def test_the_summary_counts_by_module_and_names_survivors(tmp_path: Path) -> None:
    tried = mutants("a.py", "x = 1\ny = 2\n")
    (tmp_path / "outcomes").write_text(
        '["a.py x constant: 1 -> 2", "caught"]\n["a.py y constant: 2 -> 3", "survived"]\n["a.py z cons'
    )
    lines = summary(tried, read_outcomes(tmp_path / "outcomes")).splitlines()
    assert lines[1].split() == ["a.py", "2", "1", "0", "1", "50.0%"]
    assert lines[-1] == "a.py:2 y constant: 2 -> 3"


def test_the_tests_of_a_mutant_are_those_that_call_its_function() -> None:
    recorded = [
        {"seconds": {"t/a": 3.0, "t/b": 1.0}, "calls": {"t/a": ["a.py f"], "t/b": ["a.py f", "a.py g"]}},
        {"seconds": {"t/c": 0.5}, "calls": {"t/c": ["a.py g"]}},
    ]
    call_map = CallMap.of(recorded)
    in_f, in_h = mutants("a.py", "def f():\n    g()\ndef h():\n    g()\n")
    assert call_map.tests_of(in_f) == ["t/b", "t/a"]
    assert call_map.tests_of(in_h) == ["t/c", "t/b", "t/a"], "no test calls it: all tests of the module"


def test_every_module_and_every_folder_of_tests_exists() -> None:
    assert [pattern for pattern in MODULES if not any(ROOT.glob(pattern))] == []
    assert [path for path in (*TESTS, *LEFT_OUT) if not (ROOT / path).exists()] == []


def test_a_mutant_is_caught_by_a_test_that_fails_for_it_and_else_survives(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "test_sums.py").write_text("from sums import add\n\ndef test_add():\n    assert add(2, 0) == 2\n")
    call_map = CallMap({"test_sums.py": 0.1}, {"sums.py add": frozenset({"test_sums.py"})})
    found = {
        mutant.operator: try_mutant(tmp_path, mutant, call_map)
        for mutant in mutants("sums.py", (tmp_path / "sums.py").read_text())
    }
    assert found == {"arithmetic": Outcome.SURVIVED, "return value": Outcome.CAUGHT}
    assert "a + b" in (tmp_path / "sums.py").read_text()

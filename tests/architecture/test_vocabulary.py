"""Names: classes are unique, modules and classes are named by the field's terms, SQL by statement and object."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import PACKAGES, python_files, short, split_words

METAPHORS = re.compile(
    "ahead|asking|assembly|courtesy|courteous|deciding|desk|dividing|divided|emphasis|findings|familiarity|heads|house|"
    "iterating|lesson|looking|manners|once|pressed|presence|remembering|resembling|shelf|shelves|situation|standing|"
    "strangers|swept|tidying|told|trouble|trying|usual|voices|welcome"
)
MODULE_METAPHORS = re.compile("belief|conclude|course|joining|loading|methods|opening|part|reading")
TAKE_IN = re.compile(r"take_in|take_\w+_in")
SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|EXISTS|FROM|WHERE|JOIN) ", re.MULTILINE)
STATE_LITERAL = re.compile(r"\b(?:state|outcome)\s*(?:=|<>|IN)\s*\(?\s*'[a-z]")

# Not clean yet: an entry goes when its owner has renamed it.
DUPLICATES_LEFT: set[str] = set()
METAPHORS_LEFT: set[str] = set()
SQL_LEFT: set[str] = set()


def trees(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in python_files(*folders):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def has_word(name: str, *patterns: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(word) for word in split_words(name) for pattern in patterns)


def class_names(tree: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def sql_constants(tree: ast.Module) -> Iterator[str]:
    """Names of the module's constants that hold SQL."""
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        is_text = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "text"
        strings = (n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant) and isinstance(n.value, str))
        if is_text or any(SQL.search(string) for string in strings):
            yield node.targets[0].id


def duplicated_classes() -> dict[str, set[str]]:
    files = defaultdict(set)
    for path, tree in trees(*PACKAGES, "tests"):
        for name in class_names(tree):
            files[name].add(short(path))
    return {name: paths for name, paths in files.items() if len(paths) > 1}


def metaphors() -> set[str]:
    """Modules, classes and functions that are named by metaphors."""
    found = set()
    for path, tree in trees(*PACKAGES):
        if has_word(path.stem, METAPHORS, MODULE_METAPHORS):
            found.add(short(path))
        functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        found |= {f"{short(path)}: {name}" for name in class_names(tree) if has_word(name, METAPHORS)}
        found |= {f"{short(path)}: {name}" for name in functions if TAKE_IN.fullmatch(name)}
    return found


def modules_with_one_word_sql() -> set[str]:
    return {short(path) for path, tree in trees(*PACKAGES) if any("_" not in name for name in sql_constants(tree))}


def test_class_names_are_unique() -> None:
    assert {name: paths for name, paths in duplicated_classes().items() if name not in DUPLICATES_LEFT} == {}


def test_modules_and_classes_are_named_by_the_terms_of_the_field() -> None:
    assert metaphors() - METAPHORS_LEFT == set()


def test_sql_constants_are_named_by_statement_and_object() -> None:
    assert modules_with_one_word_sql() - SQL_LEFT == set()


def test_states_of_jobs_come_from_their_enums() -> None:
    """``infra.store.sql_fragments`` writes the lists; a single state is written as ``'{JobState.DONE}'``."""
    literal = {
        f"{short(path)}:{node.lineno}"
        for path, tree in trees("api", "workers", "infra")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATE_LITERAL.search(node.value)
    }
    assert literal == set()


def test_each_rule_sees_a_violation() -> None:
    assert has_word("ModelShelf", METAPHORS)
    assert has_word("study_findings", METAPHORS)
    assert not has_word("Households", METAPHORS)
    assert TAKE_IN.fullmatch("take_page_in")
    source = 'OPEN = text("SELECT 1")\nRENEW = f"UPDATE jobs SET x = {1}"\nNAME = "select"\nLOCK_JOBS = text("x")'
    assert list(sql_constants(ast.parse(source))) == ["OPEN", "RENEW", "LOCK_JOBS"]
    assert STATE_LITERAL.search("WHERE j.state IN ('waiting', 'sent')")
    assert not STATE_LITERAL.search("WHERE status = 'done'")

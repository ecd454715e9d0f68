"""Every rule of docs/reliability.md names the tests that hold it, and they exist."""

from __future__ import annotations

import re

import pytest

from tests.architecture.tree import ROOT

TABLE_ROW = re.compile(r"^\| (?P<rule>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`(?P<file>[^`:]*)(?:::(?P<name>[^`]+))?`")


def documented_tests() -> list[tuple[str, str, str]]:
    """Rule, file and test (empty: the whole file) of each reference; ``…`` stands for the file named before."""
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    references = []
    file = ""
    for row in TABLE_ROW.finditer(page):
        for test in TEST.finditer(row["tests"]):
            file = file if test["file"] == "…" else test["file"]
            references.append((row["rule"].strip(), file, test["name"] or ""))
    return references


REFERENCES = documented_tests()


def test_the_table_is_read() -> None:
    assert len(REFERENCES) >= 25


@pytest.mark.parametrize(("rule", "file", "name"), REFERENCES, ids=[f"{f}::{n}" for _, f, n in REFERENCES])
def test_a_rule_is_held_by_a_test_that_exists(rule: str, file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file(), f"{rule}: there is no {file}"
    functions = re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert functions, f"{rule}: {file} has no tests"
    assert not name or name in functions, f"{rule}: {file} has no {name}"

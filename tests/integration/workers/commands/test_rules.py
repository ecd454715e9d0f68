"""Rules by command: proposed here, decided, and taken out and in as a file without a line half applied."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.catalogue_files.rule_file import read_rules
from pipeline.domain.errors import InvalidInput
from pipeline.domain.rule import InvalidRuleLines, RuleLine
from tests.integration.infra.store.collected import collect
from tests.integration.records import add_categories, add_source
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench
from workers.cli import main

Said = subprocess.CompletedProcess[str]
STATE = "SELECT source_category, category_id, status, decided_by FROM category_rules ORDER BY 1, 2, 3"


@pytest.fixture
def rayon(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: a start for each of these many commands would take most of their time."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["rayon", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(code), said.out, said.err)

    return run


@pytest.fixture
def shop(bench: Bench) -> Bench:
    source = add_source(bench.context.engine, "shop")
    add_categories(bench.context.engine, source, ("Drinks >> Wine", "Drinks >> Juice", "Food >> Cheese"))
    with bench.context.engine.begin() as connection:
        collect(connection, source, {"a": ("en:wines",), "b": ("en:juices",), "c": ("-odd;", "en:cheese")})
    return bench


def told(rayon: Run, *words: str) -> Any:
    ended = rayon("rules", *words, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def mistaken(rayon: Run, *words: str) -> str:
    ended = rayon("rules", *words)
    assert ended.returncode == 2, ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_rules_are_proposed_decided_and_go_out_and_in_as_a_file(shop: Bench, rayon: Run, tmp_path: Path) -> None:
    assert told(rayon, "propose", "shop", "--here")["rules"]["proposed"] == 4
    means = {rule["source_category"]: rule["category"] for rule in told(rayon, "list", "shop")}
    assert means == {
        "en:wines": "Drinks >> Wine",
        "en:juices": "Drinks >> Juice",
        "en:cheese": "Food >> Cheese",
        "-odd;": None,
    }
    assert told(rayon, "accept", "shop", "en:wines")["category"] == "Drinks >> Wine"
    assert told(rayon, "refuse", "shop", "en:juices")["status"] == "refused"
    assert told(rayon, "accept", "shop", "en:juices", "Drinks")["decided_by"] == "the command line"
    covered = told(rayon, "coverage", "shop")
    assert (covered["mapped"], covered["proposed"], covered["none"]) == (2, 1, 0)

    file = tmp_path / "rules.csv"
    assert told(rayon, "export", "shop", str(file))["rules"] == 5
    before, written = shop.rows(STATE), file.read_text(encoding="utf-8")
    assert told(rayon, "import", "shop", str(file)) == {"accepted": 2, "refused": 1}
    assert shop.rows(STATE) == before
    shop.run("DELETE FROM category_rules WHERE status <> 'proposed'")
    told(rayon, "import", "shop", str(file))
    assert shop.rows(STATE) == before
    told(rayon, "export", "shop", str(file))
    decided = list(csv.reader(written.splitlines()))
    again = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    assert [line[:3] for line in again] == [line[:3] for line in decided]

    # A line that cannot be used leaves everything as it was, and each is told.
    lines = written.replace("en:wines,Drinks >> Wine", "en:wines,Drinks >> Whine").replace(",refused,", ",no,")
    file.write_text(lines, encoding="utf-8")
    said = mistaken(rayon, "import", "shop", str(file))
    assert "the status is 'no'; write accepted, refused or proposed" in said
    file.write_text(lines.replace(",no,", ",refused,"), encoding="utf-8")
    said = mistaken(rayon, "import", "shop", str(file))
    assert "line 6: the taxonomy has no category 'Drinks >> Whine'; similar categories: Drinks >> Wine" in said
    assert "nothing was changed: 1 lines" in said
    assert shop.rows(STATE) == before


@pytest.mark.usefixtures("shop")
def test_mistakes_are_told_in_a_sentence(rayon: Run) -> None:
    assert "there is no source 'shops'; there are: shop, tests" in mistaken(rayon, "list", "shops")
    assert "nothing is proposed for 'en:wines'" in mistaken(rayon, "accept", "shop", "en:wines")
    assert "name a category of the source, or give --above" in mistaken(rayon, "accept", "shop")


HEADER = "source_category,category,status\n"


def test_a_quote_that_is_not_closed_swallows_no_rule(tmp_path: Path) -> None:
    file = tmp_path / "rules.csv"
    for text in ('"en:a,A,accepted\nen:b,B,accepted\n', 'en:a,A,accepted\n"en:b,B,accepted\nen:c,"C",accepted\n'):
        file.write_text(HEADER + text)
        with pytest.raises(InvalidInput, match="a quote is not closed"):
            read_rules(file)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (HEADER + "en:a,A >> B,accepted\nen:b,(nothing),Refused\n", [("en:a", "A >> B", True), ("en:b", None, False)]),
        (HEADER + "en:a,A,proposed\nen:b,B,\n,,\n", []),
        ("Status;Category;Source_Category\naccepted;A;en:a\n", [("en:a", "A", True)]),
        (HEADER + "'-a,'=A,accepted\n", [("-a", "=A", True)]),
        ("﻿" + HEADER + '"en:a\nb",A,accepted\n', [("en:a\nb", "A", True)]),
    ],
)
def test_a_file_of_rules_is_read_as_spreadsheets_write_it(
    tmp_path: Path, content: str, lines: list[tuple[str, str | None, bool]]
) -> None:
    file = tmp_path / "rules.csv"
    file.write_text(content, encoding="utf-8")
    found = read_rules(file)
    assert [(line.source_category, line.category, line.accepted) for line in found] == lines
    assert all(isinstance(line, RuleLine) for line in found)


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        ("en:a,,accepted", {2: "write its path, or (nothing) if en:a means nothing here"}),
        (",A,accepted", {2: "the source_category is empty"}),
        ("en:a,A,accepted\n\nen:a,B,accepted", {4: "en:a is accepted in line 2 already"}),
        ("en:a,A,accepted\nen:a,A,refused", {3: "line 2 has the same rule"}),
        ("en:a,A,x\nen:b", {2: "the status is 'x'"}),
    ],
)
def test_every_line_that_cannot_be_used_is_named(tmp_path: Path, rows: str, problems: dict[int, str]) -> None:
    file = tmp_path / "rules.csv"
    file.write_text(HEADER + rows, encoding="utf-8")
    with pytest.raises(InvalidRuleLines) as refused:
        read_rules(file)
    found = refused.value.problems
    assert set(found) == set(problems)
    assert all(problems[number] in found[number] for number in problems)


@pytest.mark.parametrize("content", ["source_category,status\na,accepted\n", "", "a,b\n\x00\x00\x00"])
def test_what_is_no_file_of_rules_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rules.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput):
        read_rules(file)

"""A new format is a file and a row, as ``docs/extending.md`` says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from infra.catalogue_files import catalogue
from infra.catalogue_files.catalogue import open_catalogue
from pipeline.domain.errors import InvalidCatalogue
from tests.unit.infra.catalogue_files.files import content_of, problems_of, written

PAGE = Path(__file__).resolve().parents[4] / "docs" / "extending.md"
LTSV = "id:1\tname:Tasse: rot\tcolour:red\nnothing\nid:2\tname:Mug\timage:a.jpg\n"


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """The format of the page, added as the page says."""
    section = PAGE.read_text(encoding="utf-8").split("## A format of catalogue file")[1].split("\n## ")[0]
    file, row = re.findall(r"```(?:python)?\n(.*?)```", section, re.DOTALL)
    module = types.ModuleType("infra.catalogue_files.ltsv")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(file, "ltsv.py", "exec"), module.__dict__)
    added = eval(f"({row.strip()})", {"LtsvFile": module.LtsvFile})
    monkeypatch.setattr(catalogue, "FORMATS", (*catalogue.FORMATS, *added))


@pytest.mark.usefixtures("documented")
def test_the_format_of_the_page_reads_and_goes_on(tmp_path: Path) -> None:
    opened = open_catalogue(written(tmp_path, "a.ltsv", LTSV))
    rows = list(opened)
    found = zip(rows, problems_of(rows), strict=True)
    assert [(row.external_id, row.content and content_of(row).name, problem) for row, problem in found] == [
        ("1", "Tasse: rot", None),
        (None, None, "the line has no label"),
        ("2", "Mug", None),
    ]
    assert content_of(rows[0]).attributes == {"colour": "red"}
    assert list(opened.rows(1, [("1", 1)])) == rows[1:]
    assert opened.count_hint == 3
    with pytest.raises(InvalidCatalogue, match="there is no column 'nom'; columns are: id, name, colour, image"):
        open_catalogue(tmp_path / "a.ltsv", columns={"name": "nom"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,name\n" + "".join(f"{n % 7},name {n}\n" for n in range(9)) + "broken\n8,last\n"),
        ("a.ndjson", "".join(f'{{"id": {n % 7}, "name": "name {n}"}}\n' for n in range(9)) + "{broken\n"),
        ("a.json", "[" + ",".join(f'{{"id": {n % 7}, "name": "name {n}"}}' for n in range(9)) + ', {"cut'),
    ],
)
def test_every_format_goes_on_after_any_row(tmp_path: Path, name: str, text: str) -> None:
    opened = open_catalogue(written(tmp_path, name, text))
    rows = list(opened)
    assert sum(row.problem is not None for row in rows) == 3
    for after in range(len(rows) + 1):
        known = [(row.known_id, row.number) for row in rows[:after] if row.content]
        assert list(opened.rows(after, known)) == rows[after:]

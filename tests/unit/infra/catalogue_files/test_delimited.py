"""Broken rows cost themselves: the rows around them come through, and no debris becomes a listing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.catalogue_files.catalogue import open_catalogue
from infra.catalogue_files.rows import MAX_RECORD
from pipeline.domain.reason_code import ReasonCode
from tests.unit.infra.catalogue_files.files import hex_id, opened

Identify = Callable[[int], str]
HEADER = "uniq_id,product_name,description,brand\n"


def good(number: int, ident: Identify = hex_id) -> str:
    return f'{ident(number)},name {number},"a description, of {number}\nin two lines",brand\n'


def read(folder: Path, *parts: str, header: str = HEADER) -> tuple[list[str | None], list[str]]:
    rows = list(opened(folder, "a.csv", header + "".join(parts)))
    return [row.external_id for row in rows if row.content], [str(row.problem) for row in rows if row.problem]


def ids(*numbers: int, ident: Identify = hex_id) -> list[str]:
    return [ident(n) for n in numbers]


def test_rows_spilled_into_pieces(tmp_path: Path) -> None:
    many = [good(n) for n in range(30)]
    spilled = f"{hex_id(90)},spilled,a text\n\t\t\tthat went on, and on\nand on,brand\n"
    names, problems = read(tmp_path, *many[:15], spilled, *many[15:])
    assert names == ids(*range(30))
    assert len(problems) == 3
    assert all("instead of 4" in problem for problem in problems)


def test_debris_with_the_right_number_of_columns_is_no_row(tmp_path: Path) -> None:
    many = [good(n) for n in range(30)]
    names, problems = read(tmp_path, *many[:15], "leather belts, suave,and,fine\n", *many[15:])
    assert names == ids(*range(30))
    assert problems == ["the id 'leather belts' does not look like the others (32 hexadecimal digits)"]


def test_an_unclosed_quote_ends_at_the_next_row(tmp_path: Path) -> None:
    many = [good(n) for n in range(30)]
    names, problems = read(tmp_path, *many[:15], f'{hex_id(90)},open,"never closed,brand\n', *many[15:])
    assert names == ids(*range(30))
    assert problems == ["a quote was not closed: the row ran into the following ones"]


def test_an_unclosed_quote_in_the_last_column_swallows_nothing(tmp_path: Path) -> None:
    plain = [f"{hex_id(n)},name,text,brand\n" for n in range(30)]
    names, problems = read(tmp_path, *plain[:29], f'{hex_id(90)},open,text,"brand\n', plain[29])
    assert names == ids(*range(30))
    assert problems == ["a quote was not closed: the row ran into the following ones"]


@pytest.mark.parametrize("count", [3, 40])
def test_ids_of_free_form_resynchronise_by_the_number_of_columns(tmp_path: Path, count: int) -> None:
    def ident(n: int) -> str:
        return f"sku-{n}"

    plain = [f"{ident(n)},name,text,brand\n" for n in range(count)]
    names, problems = read(tmp_path, plain[0], f'{ident(90)},open,"never closed,brand\n', *plain[1:])
    assert names == ids(*range(count), ident=ident)
    assert len(problems) == 1


def test_after_a_broken_row_free_form_ids_are_looked_at_too(tmp_path: Path) -> None:
    plain = [f"sku-{n},name,text,brand\n" for n in range(40)]
    names, problems = read(tmp_path, *plain[:20], "sku-90,cut,text\n", "some words,of,the,text\n", *plain[20:])
    assert names == ids(*range(40), ident=lambda n: f"sku-{n}")
    assert problems[1] == "the id 'some words' does not look like the others (no spaces)"


def test_an_odd_id_far_from_damage_is_accepted(tmp_path: Path) -> None:
    plain = [f"sku-{n},name,text,brand\n" for n in range(40)]
    names, problems = read(tmp_path, *plain, "sku 40,name,text,brand\n")
    assert names[-1] == "sku 40"
    assert problems == []


def test_a_row_without_end_costs_no_other_row(tmp_path: Path) -> None:
    many = [good(n) for n in range(30)]
    endless = f'{hex_id(90)},open,"' + ("x" * 99 + "\n") * (MAX_RECORD // 90) + '",brand\n'
    names, problems = read(tmp_path, *many[:15], endless, *many[15:])
    assert names == ids(*range(30))
    assert problems[0] == "the row does not end within 1,000,000 characters"


def test_a_line_without_end_is_skipped(tmp_path: Path) -> None:
    many = [good(n) for n in range(30)]
    names, problems = read(tmp_path, *many[:15], "x" * (3 * MAX_RECORD) + "\n", *many[15:])
    assert names == ids(*range(30))
    assert problems == ["the row does not end within 1,000,000 characters"]


def test_blank_lines_and_empty_cells_beyond_the_header_are_harmless(tmp_path: Path) -> None:
    names, problems = read(tmp_path, "1,a,b,c,,\n", "\n", "2,a,b,c\n", "\r\n")
    assert (names, problems) == (["1", "2"], [])


def test_inches_are_no_quotes(tmp_path: Path) -> None:
    names, problems = read(tmp_path, '1,screen 5",b,c\n', '2,"screen 5"" wide",b,c\n', "3,a,b,c\n")
    assert (names, problems) == (["1", "2", "3"], [])


@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_a_row_shifted_by_one_separator_is_rejected_and_a_trailing_separator_is_not(
    tmp_path: Path, delimiter: str
) -> None:
    rows = [["code", "url", "product_name", "categories", "stores", "energy"]]
    rows += [[f"{n:04}", f"https://p.example/{n}", f'"Bar {n}"', "Foods", "", str(n)] for n in range(40)]
    rows[11] = ["0010", "", "https://p.example/10", '"Bar 10"', "Foods", "", ""]  # a separator inside its url's cell
    rows[21].append("")
    rows[31] = [*rows[31][:3], "Foods", "Shop", "", "", ""]
    file = tmp_path / "export.csv"
    file.write_text("\n".join(delimiter.join(row) for row in rows) + "\n")
    read = list(open_catalogue(file))
    assert [row.number for row in read if row.content is None] == [11]
    assert {row.content.name for row in read if row.content} == {f"Bar {n}" for n in range(40) if n != 10}
    assert read[10].problem is not None
    assert read[10].problem.code is ReasonCode.COLUMNS_MISMATCH

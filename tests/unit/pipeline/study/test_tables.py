"""Tables: every number of the report, and no formula for a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from pipeline.study_report.csv_tables import slug, tables, write
from tests.unit.pipeline.study.report_samples import DUE_TO, believable


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_each_table_and_each_figure_has_its_numbers() -> None:
    report = believable()
    found = tables(report)
    assert len(read(found["trials.csv"])) == 1 + len(report["trials"])
    assert len(read(found["map_word2vec+fisher.csv"])) == 1 + report["studied"]
    assert read(found["matrix_tfidf.csv"])[1][1:] == [str(n) for n in report["matrices"]["tfidf"]["matrix"][0]]
    shelves = read(found["wrong_shelves.csv"])
    assert len(shelves) == 1 + len(report["wrong_shelves"])
    assert all(len(line) == len(shelves[0]) for line in shelves)
    assert {"recall.csv", "trend.csv", "supervised.csv", "learning_curve.csv", "hardest_pairs.csv"} <= set(found)


def test_each_listing_tells_whom_it_is_due_to_and_reports_of_old_tell_of_nobody() -> None:
    report = believable()
    rows = {row["key"]: row for row in report["rows"]}

    def dues(found: dict[str, bytes], name: str) -> dict[str, str]:
        head, *lines = read(found[name])
        assert all(len(line) == len(head) for line in lines)
        return {line[head.index("key")]: line[head.index("attribution")] for line in lines}

    for name in ("map_tfidf.csv", "hardest_pairs.csv"):
        found = dues(tables(report), name)
        assert {key for key, due in found.items() if due == DUE_TO} == {k for k in found if rows[k]["attribution"] == 0}
        assert set(found.values()) == {DUE_TO, ""}
    del report["attributions"]
    for row in report["rows"]:
        del row["attribution"]
    assert set(dues(tables(report), "map_tfidf.csv").values()) == {""}


@pytest.mark.parametrize("text", ["=1+1", "+33 6", "-x", "@sum", "\tx", "\r=x", "  =cmd", "＝1"])
def test_formulas_are_made_words(text: str) -> None:
    assert read(write([[text]]))[0][0] == f"'{text}"


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    assert write([["a-b", -0.5, None, 3]]) == b"a-b,-0.5,,3\r\n"


def test_a_byte_order_mark_stands_where_excel_needs_one() -> None:
    assert not write([["plain"]]).startswith(b"\xef\xbb\xbf")
    assert write([["à rayures"]]).startswith(b"\xef\xbb\xbf")


def test_file_names_are_tame() -> None:
    assert slug("word2vec+fisher") == "word2vec+fisher"
    assert slug("../x y") == "_x_y"

"""Tables: every number of the report, and no formula for a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from pipeline.domain.study_report import StudyReport
from pipeline.study_report.csv_tables import csv_tables, slug, write_csv
from tests.unit.pipeline.study_report.report_samples import ATTRIBUTION, believable


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_each_table_and_each_figure_has_its_numbers() -> None:
    report = believable()
    found = csv_tables(StudyReport.from_json(report))
    assert len(read(found["trials.csv"])) == 1 + len(report["trials"])
    assert len(read(found["map_word2vec+fisher.csv"])) == 1 + report["studied"]
    assert read(found["matrix_tfidf.csv"])[1][1:] == [str(n) for n in report["matrices"]["tfidf"]["matrix"][0]]
    issues = read(found["wrong_shelves.csv"])
    assert len(issues) == 1 + len(report["wrong_shelves"])
    assert all(len(line) == len(issues[0]) for line in issues)
    assert {"recall.csv", "trend.csv", "supervised.csv", "learning_curve.csv", "hardest_pairs.csv"} <= set(found)


def test_each_listing_has_its_attribution_and_reports_of_earlier_programs_have_none() -> None:
    report = believable()
    rows = {row["key"]: row for row in report["rows"]}

    def attributions(found: dict[str, bytes], name: str) -> dict[str, str]:
        head, *lines = read(found[name])
        assert all(len(line) == len(head) for line in lines)
        return {line[head.index("key")]: line[head.index("attribution")] for line in lines}

    for name in ("map_tfidf.csv", "hardest_pairs.csv"):
        found = attributions(csv_tables(StudyReport.from_json(report)), name)
        assert {key for key, given in found.items() if given == ATTRIBUTION} == {
            k for k in found if rows[k]["attribution"] == 0
        }
        assert set(found.values()) == {ATTRIBUTION, ""}
    del report["attributions"]
    for row in report["rows"]:
        del row["attribution"]
    assert set(attributions(csv_tables(StudyReport.from_json(report)), "map_tfidf.csv").values()) == {""}


@pytest.mark.parametrize("text", ["=1+1", "+33 6", "-x", "@sum", "\tx", "\r=x", "  =cmd", "＝1"])
def test_formulas_are_made_words(text: str) -> None:
    assert read(write_csv([[text]]))[0][0] == f"'{text}"


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    assert write_csv([["a-b", -0.5, None, 3]]) == b"a-b,-0.5,,3\r\n"


def test_a_byte_order_mark_stands_where_excel_needs_one() -> None:
    assert not write_csv([["plain"]]).startswith(b"\xef\xbb\xbf")
    assert write_csv([["à rayures"]]).startswith(b"\xef\xbb\xbf")


def test_file_names_are_tame() -> None:
    assert slug("word2vec+fisher") == "word2vec+fisher"
    assert slug("../x y") == "_x_y"

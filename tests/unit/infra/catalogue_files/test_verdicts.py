"""Verdicts appear whole or not at all."""

from __future__ import annotations

import csv

import pytest

from infra.catalogue_files.verdict_file import Verdict, VerdictWriter


def test_verdicts_are_written_and_counted(tmp_path):
    path = tmp_path / "new folder" / "verdicts.csv"
    with VerdictWriter(path) as verdicts:
        verdicts.write(1, "a", Verdict.NEW)
        verdicts.write(2, None, Verdict.REJECTED, 'no name, "é"')
        assert not path.exists()
    with path.open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["row", "external_id", "verdict", "reason"],
            ["1", "a", "new", ""],
            ["2", "", "rejected", 'no name, "é"'],
        ]
    assert verdicts.counts == {Verdict.NEW: 1, Verdict.REJECTED: 1}


def test_an_interruption_leaves_the_earlier_file_and_no_rest(tmp_path):
    path = tmp_path / "verdicts.csv"
    path.write_text("earlier")

    def interrupted():
        with VerdictWriter(path) as verdicts:
            verdicts.write(1, "a", Verdict.NEW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["verdicts.csv"]

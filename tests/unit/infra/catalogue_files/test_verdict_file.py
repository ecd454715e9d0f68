"""Files of verdicts appear as a whole or not at all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from infra.catalogue_files.verdict_file import VerdictWriter
from pipeline.domain.import_run import RowVerdict
from pipeline.domain.reason import Reason
from pipeline.domain.verdict import Verdict


def test_verdicts_are_written_with_their_reasons_and_notes(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "verdicts.csv"
    with VerdictWriter(path) as writer:
        writer.write(RowVerdict(1, "a", Verdict.NEW, 7))
        writer.write(
            RowVerdict(2, None, Verdict.REJECTED, reason=Reason.other('no name, "é"'), notes=(Reason.other("cut"),))
        )
        assert not path.exists()
    with path.open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["row", "external_id", "verdict", "reason"],
            ["1", "a", "new", ""],
            ["2", "", "rejected", 'no name, "é"; cut'],
        ]


def test_an_interruption_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    path.write_text("earlier")

    def interrupted() -> None:
        with VerdictWriter(path) as writer:
            writer.write(RowVerdict(1, "a", Verdict.NEW))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["verdicts.csv"]

"""Options refuse what no command could use, before anything is begun; the help of a group ends its sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.domain.errors import InvalidInput
from pipeline.domain.study import StudyPlan
from workers.cli import app
from workers.commands.study_file import FileToStudy, move_results, study_file

GROUPS = ("rules", "imports", "models", "dead-letters", "keys", "collections")


@pytest.mark.parametrize(
    "words",
    [
        ("worker", "--slots", "-1"),
        ("train", "--level", "13"),
        ("train", "--seed", "-1"),
        ("study", "--level", "13"),
        ("evaluate", "x.csv", "--folds", "2", "--seed", "-1"),
        ("evaluate", "x.csv", "--folds", "2", "--level", "13"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_the_bounds(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "Invalid value for" in done.output


def test_a_study_of_a_file_has_no_taxonomy() -> None:
    done = CliRunner().invoke(app, ("study", "--file", "x.csv", "--taxonomy", "shop"))
    assert isinstance(done.exception, InvalidInput)


@pytest.mark.parametrize("name", GROUPS)
def test_the_help_of_a_group_ends_its_sentences(name: str) -> None:
    done = CliRunner().invoke(app, (name, "--help"))
    assert done.exit_code == 0
    assert "..." not in done.output.partition("Commands:")[2]


class FakeStudyFolder:
    """A folder of a study with one file, that can be asked whether it was cleared."""

    cleared = False

    def names(self) -> list[str]:
        return ["report.json"]

    def read(self, _name: str) -> bytes:
        return b"{}"

    def clear(self) -> None:
        self.cleared = True


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_study(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    for target in (tmp_path / "a file", tmp_path / "a file" / "below"):
        with pytest.raises(InvalidInput, match="is no folder: name another one with --out"):
            study_file(FileToStudy(tmp_path / "x.csv", None, {}, target), [], StudyPlan())


def test_results_that_could_not_be_written_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    kept = FakeStudyFolder()
    with pytest.raises(InvalidInput, match="the results are kept"):
        move_results(kept, tmp_path / "a file" / "below")  # type: ignore[arg-type]
    assert not kept.cleared

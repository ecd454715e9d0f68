"""Options refuse what no command could use, before anything is begun; the help of a group ends its sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.domain.errors import InvalidInput
from workers.cli import app
from workers.commands.study_file import study_file, write_out

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


class Kept:
    """A folder of a study with one file, that can be asked whether it was cleared."""

    cleared = False

    def names(self) -> list[str]:
        return ["report.json"]

    def read(self, name: str) -> bytes:
        return b"{}"

    def clear(self) -> None:
        self.cleared = True


def test_where_a_study_cannot_be_written_is_told_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    for target in (tmp_path / "a file", tmp_path / "a file" / "below"):
        with pytest.raises(InvalidInput, match="is no folder: name another one with --out"):
            study_file(tmp_path / "x.csv", None, {}, target, [], None)  # type: ignore[arg-type]


def test_what_could_not_be_written_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    kept = Kept()
    with pytest.raises(InvalidInput, match="what was done is kept"):
        write_out(kept, tmp_path / "a file" / "below")  # type: ignore[arg-type]
    assert not kept.cleared

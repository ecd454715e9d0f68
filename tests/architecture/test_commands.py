"""Every command of the command line explains itself, and is named in the documentation."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
import typer

from tests.architecture.tree import ROOT
from workers.cli import Commands, app
from workers.lazy_commands import Row

if TYPE_CHECKING:
    from typer._click import Command


def leaves(command: Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every command that does something, with the words that call it."""
    children = getattr(command, "commands", None)
    if children is None:
        yield words, command
        return
    for name, child in sorted(children.items()):
        yield from leaves(child, (*words, name))


COMMANDS = [(" ".join(words), command) for words, command in leaves(typer.main.get_command(app), ("rayon",))]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_a_command_and_its_options_have_help(words: str, command: Command) -> None:
    assert command.help, f"'{words}' does not say what it does"
    silent = [p.name for p in command.params if p.param_type_name == "option" and not getattr(p, "help", None)]
    assert silent == []


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS])
def test_a_command_is_named_in_the_documentation(words: str) -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    assert words in text, f"neither README.md nor docs/ names '{words}'"


HOLDERS = [
    path.stem
    for path in sorted((ROOT / "workers" / "commands").glob("*.py"))
    if "def add_to(" in path.read_text(encoding="utf-8")
]


def said_and_loaded(*words: str) -> tuple[str, set[str]]:
    """What ``rayon`` says to these words in an interpreter of its own, and the modules it has loaded by then."""
    code = "import sys, workers.cli\ntry: workers.cli.main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, *words]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    *said, modules = told.splitlines()
    return "\n".join(said), set(modules.split())


@pytest.mark.parametrize("module", HOLDERS)
def test_every_command_of_a_module_has_its_row(module: str) -> None:
    holder = typer.Typer()
    import_module(f"workers.commands.{module}").add_to(holder)
    group = typer.main.get_group(holder)
    assert set(group.commands) == {row.name for row in Commands.rows if row.module == module}


@pytest.mark.parametrize("row", Commands.rows, ids=[row.name for row in Commands.rows])
def test_a_row_says_what_its_command_does(row: Row) -> None:
    assert row.summary.endswith(".")
    assert len(row.summary) <= 80


def test_help_names_every_command_and_imports_none() -> None:
    said, loaded = said_and_loaded("--help")
    assert [row.name for row in Commands.rows if f"\n  {row.name} " not in said] == []
    assert [m for m in loaded if m.startswith(("workers.commands.", "infra.", "sqlalchemy", "celery"))] == []


@pytest.mark.parametrize("words", [("relay", "--help"), ("beat", "--help")], ids=["relay", "beat"])
def test_a_process_of_the_house_imports_no_other_command(words: tuple[str, ...]) -> None:
    _, loaded = said_and_loaded(*words)
    assert {m for m in loaded if m.startswith("workers.commands.")} == {"workers.commands.processes"}

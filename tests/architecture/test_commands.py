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
from workers.cli import COMMANDS as ENTRIES
from workers.cli import CommandEntry, app

if TYPE_CHECKING:
    from typer._click import Command


def leaf_commands(command: Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every command that does something, with the words that call it."""
    children = getattr(command, "commands", None)
    if children is None:
        yield words, command
        return
    for name, child in sorted(children.items()):
        yield from leaf_commands(child, (*words, name))


COMMANDS = [(" ".join(words), command) for words, command in leaf_commands(typer.main.get_command(app), ("rayon",))]


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


MODULES = [
    path.stem
    for path in sorted((ROOT / "workers" / "commands").glob("*.py"))
    if "def add_to(" in path.read_text(encoding="utf-8")
]


def run_rayon(*words: str) -> tuple[str, set[str]]:
    """The output of ``rayon`` called with these words in an interpreter of its own, and the modules it has loaded."""
    code = "import sys, workers.cli\ntry: workers.cli.main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, *words]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    *lines, modules = printed.splitlines()
    return "\n".join(lines), set(modules.split())


@pytest.mark.parametrize("module", MODULES)
def test_every_command_of_a_module_has_its_entry(module: str) -> None:
    module_app = typer.Typer()
    import_module(f"workers.commands.{module}").add_to(module_app)
    group = typer.main.get_group(module_app)
    assert set(group.commands) == {entry.name for entry in ENTRIES if entry.module == module}


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_an_entry_says_in_one_line_what_its_command_does(entry: CommandEntry) -> None:
    assert entry.summary.endswith(".")
    assert len(entry.summary) <= 80


def test_help_names_every_command_and_imports_none() -> None:
    printed, loaded = run_rayon("--help")
    assert [entry.name for entry in ENTRIES if f"\n  {entry.name} " not in printed] == []
    assert [m for m in loaded if m.startswith(("workers.commands.", "infra.", "sqlalchemy", "celery"))] == []


@pytest.mark.parametrize("words", [("relay", "--help"), ("beat", "--help")], ids=["relay", "beat"])
def test_a_process_imports_no_other_command(words: tuple[str, ...]) -> None:
    _, loaded = run_rayon(*words)
    assert {m for m in loaded if m.startswith("workers.commands.")} == {"workers.commands.run_process"}

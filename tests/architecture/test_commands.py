"""Every command of the command line explains itself, and is named in the documentation."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
import typer

from tests.architecture.tree import ROOT
from workers.cli import app


def leaves(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    children = getattr(command, "commands", None)
    if children is None:
        yield words, command
        return
    for name, child in sorted(children.items()):
        yield from leaves(child, (*words, name))


COMMANDS = [(" ".join(words), command) for words, command in leaves(typer.main.get_command(app), ("rayon",))]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_a_command_and_its_options_have_help(words: str, command: click.Command) -> None:
    assert command.help, f"'{words}' does not say what it does"
    silent = [p.name for p in command.params if p.param_type_name == "option" and not getattr(p, "help", None)]
    assert silent == []


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS])
def test_a_command_is_named_in_the_documentation(words: str) -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    assert words in text, f"neither README.md nor docs/ names '{words}'"

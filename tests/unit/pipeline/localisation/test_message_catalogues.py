"""The message catalogues: every message of the source has a translation that fits it, and nothing else is in them."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from pipeline.localisation.message_catalogues import FOLDER, LANGUAGES, SOURCE_LANGUAGE, read_catalogue
from pipeline.localisation.message_extraction import KEYWORDS, PACKAGES, extract_messages, updated_catalogue
from tests.architecture.tree import ROOT, python_files, short

TRANSLATED = [language for language in LANGUAGES if language != SOURCE_LANGUAGE]
SOURCE = extract_messages()


def key(message: Message) -> tuple[object, str | None]:
    """What a message is found by: its English text, with the plural, and its context."""
    return message.id, message.context


def texts(of: object) -> tuple[str, ...]:
    """The forms of a message: one, or singular and plural."""
    return (of,) if isinstance(of, str) else tuple(of)  # type: ignore[arg-type]


def placeholders(text: str) -> set[tuple[str, str]]:
    """Names and formats of the placeholders."""
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None}


def messages(language: str) -> Iterator[Message]:
    """The messages of a catalogue, less its header."""
    return (message for message in read_catalogue(language) if message.id)


def test_french_is_among_the_languages() -> None:
    assert LANGUAGES[:1] == ("en",)
    assert "fr" in LANGUAGES


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_the_messages_of_the_source_and_no_others(language: str) -> None:
    mine, wanted = {key(m) for m in messages(language)}, {key(m) for m in SOURCE if m.id}
    assert (wanted - mine, mine - wanted) == (set(), set()), "run: make messages"


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated_in_every_form(language: str) -> None:
    forms = read_catalogue(language).num_plurals
    for message in messages(language):
        expected = forms if isinstance(message.id, (tuple, list)) else 1
        assert [bool(text) for text in texts(message.string)] == [True] * expected, message.id
        assert not message.fuzzy, f"look at the translation, then take the mark away: {message.id}"


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_placeholders_of_their_message(language: str) -> None:
    for message in messages(language):
        wanted = set().union(*map(placeholders, texts(message.id)))
        for text in texts(message.string):
            # One form may say "one" instead of the number.
            optional = {("n", "")} if isinstance(message.id, (tuple, list)) else set()
            assert placeholders(text) <= wanted, text
            assert placeholders(text) >= wanted - optional, text


def test_french_puts_no_ordinary_space_before_tall_punctuation() -> None:
    for message in messages("fr"):
        for text in texts(message.string):
            assert re.findall(r" [;:?!»%]|« |\.\.\.|'", text) == [], text


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_is_in_the_form_that_make_messages_writes(language: str) -> None:
    text = (FOLDER / f"{language}.po").read_text(encoding="utf-8")
    locations = re.compile(r"^#:.*\n", re.MULTILINE)  # a module that moves makes no catalogue wrong
    assert locations.sub("", updated_catalogue(text, SOURCE)) == locations.sub("", text), "run: make messages"


def marked(path: Path) -> Iterator[tuple[int, ast.expr]]:
    """Line and argument of every call in a module that looks a message up."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            for position in _positions(name) if name in KEYWORDS else ():
                yield node.lineno, node.args[position]


def _positions(name: str) -> list[int]:
    numbers = KEYWORDS[name] or (1,)
    return [(number[0] if isinstance(number, tuple) else number) - 1 for number in numbers]


def test_messages_are_written_where_they_are_looked_up_so_that_extraction_sees_them() -> None:
    """But for the package that implements looking up; a call within an f-string would be missed by extraction."""
    extracted = {text for m in SOURCE for text in (*texts(m.id), m.context) if text}
    unseen = [
        f"{short(path)}:{line}"
        for path in python_files(*(str(ROOT / package) for package in PACKAGES if package != "pipeline/localisation"))
        for line, argument in marked(path)
        if not (isinstance(argument, ast.Constant) and argument.value in extracted)
    ]
    assert unseen == []

"""Message catalogues: gettext's ``.po`` files, one a language, read as they are.

English is the language of the source, and its messages are the keys of the catalogues. Nothing is compiled, so nothing
can be stale. ``make messages`` brings the files up to date with the source (``extraction``); adding a language is
adding its file.
"""

from __future__ import annotations

import gettext
import io
from functools import lru_cache
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent / "catalogues"
SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, *sorted(path.stem for path in FOLDER.glob("*.po")))


@lru_cache
def read_translations(language: str) -> gettext.NullTranslations:
    """The translations into a language; a message without one stays English."""
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def read_catalogue(language: str) -> Catalog:
    """The catalogue of a language, as its file has it."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def gettext_noop(message: str) -> str:
    """Mark a message for extraction where it is not yet looked up, as in a table."""
    return message


def pgettext_noop(context: str, message: str) -> tuple[str, str]:
    """As ``gettext_noop``, for a message with a context."""
    return context, message


def ngettext_noop(singular: str, plural: str) -> tuple[str, str]:
    """As ``gettext_noop``, for a message with a plural."""
    return singular, plural

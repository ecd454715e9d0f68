"""Message catalogues: one gettext ``.po`` file per language, read without compiling it to a file.

The source code is in English, and its messages are the keys of the catalogues. ``make messages`` updates the files with
the messages in the source code (``message_extraction``). To add a language, add its file.
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
    mo_file = io.BytesIO()
    write_mo(mo_file, read_catalogue(language))
    mo_file.seek(0)
    return gettext.GNUTranslations(mo_file)


def read_catalogue(language: str) -> Catalog:
    """Parse the catalogue file of a language."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def gettext_noop(message: str) -> str:
    """Mark a message for extraction without translating it, as in a table."""
    return message


def pgettext_noop(context: str, message: str) -> tuple[str, str]:
    """As ``gettext_noop``, for a message with a context."""
    return context, message


def ngettext_noop(singular: str, plural: str) -> tuple[str, str]:
    """As ``gettext_noop``, for a message with a plural."""
    return singular, plural

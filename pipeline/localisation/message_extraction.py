"""The messages of the source, and the catalogues brought up to date with them: ``make messages``.

What is new in a catalogue has no translation yet. What was reworded keeps the old translation, marked fuzzy: it is not
used until the mark is removed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from pipeline.domain.reason_code import ReasonCode
from pipeline.localisation.message_catalogues import FOLDER, LANGUAGES, SOURCE_LANGUAGE

ROOT = Path(__file__).parents[2]
REASONS_FILE = "pipeline/domain/reason_code.py"
PACKAGES = ("api", "pipeline/localisation", "pipeline/study_report")
METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.html.jinja", "jinja2")]
# How messages are marked: which argument is the message, which its plural, which its context ("c").
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "gettext_noop": None,
    "ngettext_noop": (1, 2),
    "pgettext_noop": ((1, "c"), 2),
    "_n": (1, 2),
    "_p": ((1, "c"), 2),
}


def extract_messages(root: Path = ROOT) -> Catalog:
    """Every message of the source: of the reasons, the pages and the study report, with the files that have it."""
    messages = Catalog(charset="utf-8")
    for code in ReasonCode:
        message: str | tuple[str, ...] = (code.message, code.plural) if code.plural else code.message
        messages.add(message, locations=[(REASONS_FILE, 0)], auto_comments=[f"reason: {code}"])
    for package in PACKAGES:
        found = extract_from_dir(root / package, METHODS, keywords=KEYWORDS, comment_tags=("translators:",))
        for name, _, message, comments, context in found:
            messages.add(message, locations=[(f"{package}/{name}", 0)], auto_comments=comments, context=context)
    return messages


def update_catalogues() -> None:
    """Write the messages of the source into every catalogue."""
    source = extract_messages()
    for language in LANGUAGES:
        if language != SOURCE_LANGUAGE:
            path = FOLDER / f"{language}.po"
            path.write_text(updated_catalogue(path.read_text(encoding="utf-8"), source), encoding="utf-8")


def updated_catalogue(text: str, source: Catalog) -> str:
    """A catalogue as text with the messages of ``source`` and no others, in the order of the alphabet."""
    catalogue = read_po(io.BytesIO(text.encode()))
    catalogue.update(source, no_fuzzy_matching=True)
    written = io.BytesIO()
    write_po(
        written,
        catalogue,
        width=120,
        omit_header=True,
        sort_output=True,
        ignore_obsolete=True,
        include_previous=True,
        include_lineno=False,
    )
    header, _, _ = text.partition("\n\n")
    return f"{header}\n\n{written.getvalue().decode().strip()}\n"


if __name__ == "__main__":
    update_catalogues()

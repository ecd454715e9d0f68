"""Message extraction: collect the messages in the source code and update the catalogues with them (``make messages``).

A new message has no translation yet. A reworded one is a new message, too: the old one is removed with its translation.
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
# The functions that mark messages, with the positions of the arguments: message, plural, context ("c").
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
    """All messages in the source code, of reasons, pages and the study report, with the files that contain them."""
    messages = Catalog(charset="utf-8")
    for code in ReasonCode:
        message: str | tuple[str, ...] = (code.message, code.plural) if code.plural else code.message
        messages.add(message, locations=[(REASONS_FILE, 0)], auto_comments=[f"reason: {code}"])
    for package in PACKAGES:
        extracted = extract_from_dir(root / package, METHODS, keywords=KEYWORDS, comment_tags=("translators:",))
        for path, _, message, comments, context in extracted:
            messages.add(message, locations=[(f"{package}/{path}", 0)], auto_comments=comments, context=context)
    return messages


def update_catalogues() -> None:
    """Update every catalogue with the messages in the source code."""
    messages = extract_messages()
    for language in LANGUAGES:
        if language != SOURCE_LANGUAGE:
            path = FOLDER / f"{language}.po"
            path.write_text(updated_catalogue(path.read_text(encoding="utf-8"), messages), encoding="utf-8")


def updated_catalogue(text: str, messages: Catalog) -> str:
    """The text of a catalogue, updated to exactly these ``messages`` and sorted alphabetically."""
    catalogue = read_po(io.BytesIO(text.encode()))
    catalogue.update(messages, no_fuzzy_matching=True)
    output = io.BytesIO()
    write_po(
        output,
        catalogue,
        width=120,
        omit_header=True,
        sort_output=True,
        ignore_obsolete=True,
        include_previous=True,
        include_lineno=False,
    )
    header, _, _ = text.partition("\n\n")
    return f"{header}\n\n{output.getvalue().decode().strip()}\n"


if __name__ == "__main__":
    update_catalogues()

"""The address of a product's front photo: as the database gives it, or made of what it knows of its images.

https://openfoodfacts.github.io/openfoodfacts-server/api/how-to-download-images/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from infra.catalogue_files.record import MAX_ADDRESS
from infra.sources.databases import Database
from infra.sources.plain_text import plain_text

WIDTHS = ("400", "full", "200", "100")
LANGUAGE = re.compile(r"[a-z]{2,3}")


def front_of(
    raw: Mapping[str, Any], code: str, database: Database, languages: Sequence[str]
) -> tuple[str | None, str | None]:
    """The address of the front photo, and what is to be noted of it; neither is an error.

    Only the database's own hosts are taken: what its robots.txt and our pace hold for is known of them alone.
    """
    note = None
    for given in _given(raw, languages):
        address = _absolute(given, database)
        if address and _is_photo(address, database):
            return address, note
        note = f"an image address was left out: {plain_text(given)[:100]}"
    made = _made(raw.get("images"), code, database, languages)
    if made:
        return made, note or "the image address was made of the barcode"
    return None, note or "it has no image"


def _given(raw: Mapping[str, Any], languages: Sequence[str]) -> Iterator[str]:
    for key in ("image_front_url", "image_url"):
        if text := plain_text(raw.get(key)):
            yield text
    display = raw.get("selected_images")
    for step in ("front", "display"):
        display = display.get(step) if isinstance(display, Mapping) else None
    if isinstance(display, Mapping):
        yield from filter(None, (plain_text(display[key]) for key in _by_preference(display, languages)))


def _absolute(given: str, database: Database) -> str | None:
    """An address of a photo, which may lack its scheme, or scheme and host."""
    try:
        address = urljoin(f"{database.images}/", given.replace(" ", "%20"))
        return address if urlsplit(address).hostname and len(address) <= MAX_ADDRESS else None
    except ValueError:
        return None


def _is_photo(address: str, database: Database) -> bool:
    parts = urlsplit(address)
    # Their API names a picture under "/invalid/" for a product whose barcode it does not know how to file.
    return parts.scheme in {"http", "https"} and parts.netloc in database.image_hosts and "/invalid" not in parts.path


def _made(images: object, code: str, database: Database, languages: Sequence[str]) -> str | None:
    if not isinstance(images, Mapping):
        return None
    chosen = images.get("selected")
    fronts = chosen.get("front") if isinstance(chosen, Mapping) else None
    if not isinstance(fronts, Mapping):  # as it was before version 1002 of their schema
        fronts = {str(key)[6:]: image for key, image in images.items() if str(key).startswith("front_")}
    folder = f"{database.images}/images/products/{folder_of(code)}"
    for language in _by_preference(fronts, languages):
        image = fronts[language]
        revision = plain_text(image.get("rev")) if isinstance(image, Mapping) else ""
        if revision.isascii() and revision.isdigit() and LANGUAGE.fullmatch(language):
            return f"{folder}/front_{language}.{revision}.{_width(image)}.jpg"
    return None


def folder_of(code: str) -> str:
    """Where the photos of a barcode lie: ``317/678/320/0000`` for 13 digits, and so on."""
    padded = code.zfill(13)
    return f"{padded[:3]}/{padded[3:6]}/{padded[6:9]}/{padded[9:]}"


def _by_preference(by_language: Mapping[Any, Any], languages: Sequence[str]) -> Iterator[str]:
    yield from (language for language in languages if language in by_language)
    yield from sorted(key for key in by_language if isinstance(key, str) and key not in languages)


def _width(image: Mapping[str, Any]) -> str:
    sizes = image.get("sizes")
    return next((w for w in WIDTHS if w in sizes), "400") if isinstance(sizes, Mapping) else "400"

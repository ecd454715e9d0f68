"""From a product as a database of the Open Food Facts family holds it, to tidy content, or the reason for none.

Anything may come: contributors typed it, bots changed it, and its structure changed over ten years (see their change
log of the product schema). What is unusable is told as a ``problem``, what was mended as a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from infra.catalogue_files.record import MAX_ATTRIBUTE, MAX_DESCRIPTION, MAX_EXTERNAL_ID, MAX_NAME
from infra.sources.barcodes import InvalidBarcode, normal_barcode
from infra.sources.databases import Database
from infra.sources.front_photo import front_of
from infra.sources.plain_text import plain_text, without_marks
from pipeline.domain.listing import Content
from pipeline.domain.product_source import Provenance, SourceProduct

# Categories are left out: they would give the answer away.
ATTRIBUTES = {
    "brand": ("brands",),
    "quantity": ("quantity",),
    "packaging": ("packaging_text", "packaging"),
    "labels": ("labels",),
    "origins": ("origins", "manufacturing_places"),
}
WHOLE = {"quantity"}  # a comma in it is a decimal one
TEXTS = ("product_name", "generic_name", "ingredients_text")
PICTURES = ("image_front_url", "image_url", "selected_images", "images")
CATEGORIES = ("categories_tags", "categories_hierarchy", "categories")
MOST_CATEGORIES = 50
LONGEST_CATEGORY = 200
SHORT = 100  # characters of a text that is worth remembering


def fields_wanted(languages: Sequence[str]) -> tuple[str, ...]:
    """What to ask a database for: nothing that ``tidy`` does not read."""
    texts = [name for text in TEXTS for name in (text, *(f"{text}_{language}" for language in languages))]
    attributes = [name for names in ATTRIBUTES.values() for name in names]
    return ("code", "lang", *texts, *attributes, *CATEGORIES, "categories_lc", *PICTURES, "last_modified_t")


def normalise(raw: object, database: Database, languages: Sequence[str] = ("en", "fr")) -> SourceProduct:
    """The product in tidy form, whatever ``raw`` (any JSON) is; never an exception.

    ``languages`` are those wanted, the best first; then the product's own counts, then any.
    """
    if not isinstance(raw, Mapping):
        return SourceProduct(None, None, None, "this is no product: an object was expected")
    given = next((raw[key] for key in ("code", "_id", "id") if raw.get(key)), None)
    try:
        code = normal_barcode(given)
    except InvalidBarcode as error:
        known = plain_text(given)[:MAX_EXTERNAL_ID] or None
        return SourceProduct(known, None, None, str(error))
    notes: list[str] = []
    if isinstance(given, str) and given.strip() != code:
        notes.append(f"the barcode was written {given.strip()[:40]}")
    provenance = Provenance(database.name, database.page_of(code), categories_of(raw), _moment(raw))
    content = _content(raw, code, database, languages, notes)
    if not (content.name or content.description or content.images):
        return SourceProduct(code, None, provenance, "no name, description or image", tuple(notes))
    return SourceProduct(code, content, provenance, None, tuple(notes))


def _content(
    raw: Mapping[str, Any], code: str, database: Database, languages: Sequence[str], notes: list[str]
) -> Content:
    name, generic, ingredients = (_in_language(raw, text, languages) for text in TEXTS)
    ingredients = without_marks(ingredients)
    attributes = {key: _cut(text, MAX_ATTRIBUTE, f"the {key}", notes) for key, text in _attributes(raw)}
    if not name:
        name = generic or attributes.get("brand", "")
        stands = "its generic name" if generic else "its brand"
        notes.append(f"it has no name: {stands} stands for one" if name else "it has no name")
    parts = [generic if generic != name else "", f"Ingredients: {ingredients}" if ingredients else ""]
    picture, problem = front_of(raw, code, database, languages)
    if problem:
        notes.append(problem)
    return Content(
        name=_cut(name, MAX_NAME, "the name", notes),
        description=_cut("\n".join(filter(None, parts)), MAX_DESCRIPTION, "the description", notes),
        attributes=attributes,
        images=(picture,) if picture else (),
    )


def _in_language(raw: Mapping[str, Any], text: str, languages: Sequence[str]) -> str:
    """The text in the first wanted language that has it, else in the product's own, else in any (by their codes)."""
    for language in languages:
        if found := plain_text(raw.get(f"{text}_{language}")):
            return found
    if found := plain_text(raw.get(text)):
        return found
    others = sorted(str(key) for key in raw if str(key).startswith(f"{text}_") and len(str(key)) <= len(text) + 4)
    return next(filter(None, (plain_text(raw.get(key)) for key in others)), "")


def _attributes(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, names in ATTRIBUTES.items():
        for name in names:
            if found := _attribute(raw.get(name), key in WHOLE):
                yield key, found
                break


def _attribute(value: object, whole: bool) -> str:
    if not value:
        return plain_text(value) if whole else ""
    if isinstance(value, str) and len(value) <= SHORT:
        return _attribute_of(value, whole)
    return plain_text(value) if whole else _listed(value)


@lru_cache(maxsize=1 << 14)  # brands, sizes and labels repeat
def _attribute_of(value: str, whole: bool) -> str:
    return plain_text(value) if whole else _listed(value)


def _listed(value: object) -> str:
    """Words with commas between them, without the language that stands before some (``fr:Carton``)."""
    parts = value if isinstance(value, list) else plain_text(value).split(",")
    words = filter(None, (plain_text(part) for part in parts))
    return ", ".join(dict.fromkeys(w[3:] if w[2:3] == ":" and w[:2].islower() else w for w in words))


def _cut(text: str, limit: int, what: str, notes: list[str]) -> str:
    if len(text) <= limit:
        return text
    notes.append(f"{what} was cut to {limit:,} of {len(text):,} characters")
    return text[:limit].rstrip()


def categories_of(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The database's own categories as tags (``en:champagnes``), from the general to the particular, each once."""
    language = raw.get("categories_lc")
    prefix = language if isinstance(language, str) and language.isalpha() and len(language) == 2 else "en"
    for key in CATEGORIES:
        value = raw.get(key)
        parts = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else []
        tags = (_tag(part, prefix if key == "categories" else "en") for part in parts[: 4 * MOST_CATEGORIES])
        found = tuple(dict.fromkeys(tag for tag in tags if tag))
        if found:
            return found[-MOST_CATEGORIES:]
    return ()


def _tag(value: object, prefix: str) -> str:
    return _tag_of(value, prefix) if isinstance(value, str) else ""


@lru_cache(maxsize=1 << 14)  # an export repeats a few thousand of them millions of times
def _tag_of(value: str, prefix: str) -> str:
    text = plain_text(value).lower()
    if text[2:3] == ":" and text[:2].isalpha():
        prefix, text = text[:2], text[3:]
    name = "-".join("".join(c if c.isalnum() else " " for c in text).split())
    return f"{prefix}:{name}" if name and len(name) <= LONGEST_CATEGORY else ""


def _moment(raw: Mapping[str, Any]) -> datetime | None:
    seconds = whole_number(raw.get("last_modified_t"))
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def whole_number(value: object) -> int | None:
    """A number of 0 or more, which may come as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(str(value).strip()) if isinstance(value, str) else int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**53 else None

"""Normalise a product of the Open Food Facts family: to a listing's content, or to the reason why there is none.

Anything may come: contributors typed it, bots changed it, and its structure changed over ten years (see the change log
of their product schema). A product that cannot be used gets a ``problem``; repairs and omissions become notes.
Barcodes are GTIN-8, 12, 13 and 14 (GS1 General Specifications, section 7.9). Photo addresses:
https://openfoodfacts.github.io/openfoodfacts-server/api/how-to-download-images/
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from infra.catalogue_files.cell_values import EMPTY
from infra.catalogue_files.rows import NOTHING_TO_CATEGORISE
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import (
    MAX_ADDRESS,
    MAX_ATTRIBUTE,
    MAX_DESCRIPTION,
    MAX_EXTERNAL_ID,
    MAX_NAME,
    Content,
)
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import Provenance, SourceProduct
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode

# Categories are left out: they are what the model has to predict.
ATTRIBUTES = {
    "brand": ("brands",),
    "quantity": ("quantity",),
    "packaging": ("packaging_text", "packaging"),
    "labels": ("labels",),
    "origins": ("origins", "manufacturing_places"),
}
NOT_SPLIT_AT_COMMAS = {"quantity"}  # a comma in it is a decimal one
TEXTS = ("product_name", "generic_name", "ingredients_text")
PHOTOS = ("image_front_url", "image_url", "selected_images", "images")
CATEGORIES = ("categories_tags", "categories_hierarchy", "categories")
MAX_CATEGORIES = 50
MAX_CATEGORY_LENGTH = 200
CACHED_LENGTH = 100  # characters of the longest texts whose normal form is cached
PHOTO_WIDTHS = ("400", "full", "200", "100")
LANGUAGE = re.compile(r"[a-z]{2,3}")
DIGIT_VALUES = bytes(max(0, byte - ord("0")) for byte in range(256))  # by the byte of an ASCII digit
HTML_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
HIDDEN_ELEMENT = re.compile(r"<(script|style)\b[^>]*>.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# The databases' own markup: allergens stand between underscores. The pattern begins with an underscore, not with what
# may not come before it, so that a text is searched for underscores only.
ALLERGEN = re.compile(r"_(?<![^\W_]_)_*([^\W_](?:[^_\n]{0,200}[^\W_])?)_+(?![^\W_])")
# Notes that many products have.
NAME_MISSING = Reason(ReasonCode.NAME_MISSING)
GENERIC_NAME_USED = Reason(ReasonCode.GENERIC_NAME_USED)
BRAND_USED = Reason(ReasonCode.BRAND_USED)
IMAGE_MISSING = Reason(ReasonCode.IMAGE_MISSING)
IMAGE_ADDRESS_BUILT = Reason(ReasonCode.IMAGE_ADDRESS_BUILT)
MAX_EMPTY_LENGTH = max(map(len, EMPTY))
MAX_UNESCAPES = 3  # "&amp;amp;eacute;" results from saving a form several times


def fields_wanted(languages: Sequence[str]) -> tuple[str, ...]:
    """The fields to request from a database: those that ``normalise`` reads."""
    texts = [name for text in TEXTS for name in (text, *(f"{text}_{language}" for language in languages))]
    attributes = [name for names in ATTRIBUTES.values() for name in names]
    return ("code", "lang", *texts, *attributes, *CATEGORIES, "categories_lc", *PHOTOS, "last_modified_t")


def normalise(raw: object, database: ProductDatabase, languages: Sequence[str] = ("en", "fr")) -> SourceProduct:
    """Normalise a product, whatever ``raw`` (any JSON) is; never raises.

    ``languages`` are those wanted, the best first; then the product's own language is used, then any.
    """
    if not isinstance(raw, Mapping):
        return SourceProduct(None, None, None, Reason(ReasonCode.NOT_A_PRODUCT))
    given = next((raw[key] for key in ("code", "_id", "id") if raw.get(key)), None)
    try:
        code = normalise_barcode(given)
    except InvalidBarcode as error:
        external_id = plain_text(given)[:MAX_EXTERNAL_ID] or None
        return SourceProduct(external_id, None, None, reason_of(error))
    notes: list[Reason] = []
    if isinstance(given, str) and given.strip() != code:
        notes.append(Reason.of(ReasonCode.BARCODE_REWRITTEN, barcode=given.strip()[:40]))
    provenance = Provenance(database.name, database.page_of(code), categories_of(raw), _modified_at(raw))
    content = _content(raw, code, database, languages, notes)
    if not (content.name or content.description or content.images):
        return SourceProduct(code, None, provenance, NOTHING_TO_CATEGORISE, tuple(notes))
    return SourceProduct(code, content, provenance, None, tuple(notes))


def _content(
    raw: Mapping[str, Any], code: str, database: ProductDatabase, languages: Sequence[str], notes: list[Reason]
) -> Content:
    name, generic, ingredients = (_in_language(raw, text, languages) for text in TEXTS)
    ingredients = without_allergen_marks(ingredients)
    attributes = {
        key: _cut(text, MAX_ATTRIBUTE, ReasonCode.ATTRIBUTE_CUT, notes, attribute=key) for key, text in _attributes(raw)
    }
    if not name:
        name = generic or attributes.get("brand", "")
        notes.append(GENERIC_NAME_USED if generic else BRAND_USED if name else NAME_MISSING)
    parts = [generic if generic != name else "", f"Ingredients: {ingredients}" if ingredients else ""]
    photo = find_front_photo(raw, code, database, languages)
    if photo.note:
        notes.append(photo.note)
    return Content(
        name=_cut(name, MAX_NAME, ReasonCode.NAME_CUT, notes),
        description=_cut("\n".join(filter(None, parts)), MAX_DESCRIPTION, ReasonCode.DESCRIPTION_CUT, notes),
        attributes=attributes,
        images=(photo.address,) if photo.address else (),
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
            if found := _attribute(raw.get(name), split=key not in NOT_SPLIT_AT_COMMAS):
                yield key, found
                break


def _attribute(value: object, *, split: bool) -> str:
    if isinstance(value, str) and 0 < len(value) <= CACHED_LENGTH:
        return _cached_joined_words(value) if split else _cached_plain_text(value)
    return _joined_words(value) if split else plain_text(value)


@lru_cache(maxsize=1 << 13)  # brands, sizes and labels repeat
def _cached_plain_text(value: str) -> str:
    return plain_text(value)


@lru_cache(maxsize=1 << 14)
def _cached_joined_words(value: str) -> str:
    return _joined_words(value)


def _joined_words(value: object) -> str:
    """Words with commas between them, without the language prefix that some have (``fr:Carton``)."""
    if not value:
        return ""
    parts = value if isinstance(value, list) else plain_text(value).split(",")
    words = filter(None, (plain_text(part) for part in parts))
    return ", ".join(dict.fromkeys(w[3:] if w[2:3] == ":" and w[:2].islower() else w for w in words))


def _cut(text: str, limit: int, code: ReasonCode, notes: list[Reason], **more: str) -> str:
    if len(text) <= limit:
        return text
    notes.append(Reason.of(code, limit=limit, size=len(text), **more))
    return text[:limit].rstrip()


def categories_of(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The database's own categories as tags (``en:champagnes``), from the general to the particular, each once."""
    language = raw.get("categories_lc")
    prefix = language if isinstance(language, str) and language.isalpha() and len(language) == 2 else "en"
    for key in CATEGORIES:
        value = raw.get(key)
        parts = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else []
        tags = (_tag(part, prefix if key == "categories" else "en") for part in parts[: 4 * MAX_CATEGORIES])
        found = tuple(dict.fromkeys(tag for tag in tags if tag))
        if found:
            return found[-MAX_CATEGORIES:]
    return ()


def _tag(value: object, prefix: str) -> str:
    return _cached_tag(value, prefix) if isinstance(value, str) else ""


@lru_cache(maxsize=1 << 14)  # an export repeats a few thousand of them millions of times
def _cached_tag(value: str, prefix: str) -> str:
    text = plain_text(value).lower()
    if text[2:3] == ":" and text[:2].isalpha():
        prefix, text = text[:2], text[3:]
    name = "-".join("".join(c if c.isalnum() else " " for c in text).split())
    return f"{prefix}:{name}" if name and len(name) <= MAX_CATEGORY_LENGTH else ""


def _modified_at(raw: Mapping[str, Any]) -> datetime | None:
    seconds = parse_count(raw.get("last_modified_t"))
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def parse_count(value: object) -> int | None:
    """An integer of 0 or more, which may come as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(str(value).strip()) if isinstance(value, str) else int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**53 else None


class FrontPhoto(NamedTuple):
    """The address of a product's front photo, if it has one, and a note about it for the user."""

    address: str | None
    note: Reason | None


def find_front_photo(
    raw: Mapping[str, Any], code: str, database: ProductDatabase, languages: Sequence[str]
) -> FrontPhoto:
    """The front photo as the database gives its address, else with an address built from what it says of its images.

    Only addresses at the database's own hosts are accepted: our rate limits and robots.txt rules cover those alone.
    """
    note = None
    for given in _given_addresses(raw, languages):
        address = _absolute(given, database)
        if address and _is_photo(address, database):
            return FrontPhoto(address, note)
        note = Reason.of(ReasonCode.IMAGE_ADDRESS_LEFT_OUT, address=plain_text(given)[:100])
    address = _built_address(raw.get("images"), code, database, languages)
    if address:
        return FrontPhoto(address, note or IMAGE_ADDRESS_BUILT)
    return FrontPhoto(None, note or IMAGE_MISSING)


def _given_addresses(raw: Mapping[str, Any], languages: Sequence[str]) -> Iterator[str]:
    for key in ("image_front_url", "image_url"):
        if text := plain_text(raw.get(key)):
            yield text
    display = raw.get("selected_images")
    for step in ("front", "display"):
        display = display.get(step) if isinstance(display, Mapping) else None
    if isinstance(display, Mapping):
        yield from filter(None, (plain_text(display[key]) for key in _by_preference(display, languages)))


def _absolute(given: str, database: ProductDatabase) -> str | None:
    """The absolute address of a photo, whose scheme, or scheme and host, may be missing."""
    try:
        address = urljoin(f"{database.images}/", given.replace(" ", "%20"))
        return address if urlsplit(address).hostname and len(address) <= MAX_ADDRESS else None
    except ValueError:
        return None


def _is_photo(address: str, database: ProductDatabase) -> bool:
    parts = urlsplit(address)
    # Their API gives an address under "/invalid/" for a product whose barcode it does not know how to file.
    return parts.scheme in {"http", "https"} and parts.netloc in database.image_hosts and "/invalid" not in parts.path


def _built_address(images: object, code: str, database: ProductDatabase, languages: Sequence[str]) -> str | None:
    if not isinstance(images, Mapping):
        return None
    selected = images.get("selected")
    fronts = selected.get("front") if isinstance(selected, Mapping) else None
    if not isinstance(fronts, Mapping):  # as it was before version 1002 of their schema
        fronts = {str(key)[6:]: image for key, image in images.items() if str(key).startswith("front_")}
    folder = f"{database.images}/images/products/{photo_folder(code)}"
    for language in _by_preference(fronts, languages):
        image = fronts[language]
        revision = plain_text(image.get("rev")) if isinstance(image, Mapping) else ""
        if revision.isascii() and revision.isdigit() and LANGUAGE.fullmatch(language):
            return f"{folder}/front_{language}.{revision}.{_width(image)}.jpg"
    return None


def photo_folder(code: str) -> str:
    """The folder of the photos of a barcode: ``317/678/320/0000`` for 13 digits, and so on."""
    padded = code.zfill(13)
    return f"{padded[:3]}/{padded[3:6]}/{padded[6:9]}/{padded[9:]}"


def _by_preference(by_language: Mapping[Any, Any], languages: Sequence[str]) -> Iterator[str]:
    yield from (language for language in languages if language in by_language)
    yield from sorted(key for key in by_language if isinstance(key, str) and key not in languages)


def _width(image: Mapping[str, Any]) -> str:
    sizes = image.get("sizes")
    return next((w for w in PHOTO_WIDTHS if w in sizes), "400") if isinstance(sizes, Mapping) else "400"


class InvalidBarcode(InvalidInput):
    """A text that is no barcode; the message says why."""


def normalise_barcode(given: object) -> str:
    """The barcode as product databases write it: 8 or 13 digits, or 14 where the first of them is not 0.

    Leading zeros are not part of the number, so ``34000460625`` and ``0034000460625`` are the same product. Raises
    InvalidBarcode for letters, for a length that no barcode has, and for a wrong check digit.
    """
    text = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not digits:
        raise InvalidBarcode(
            Reason.of(ReasonCode.BARCODE_NOT_DIGITS, barcode=text[:40]) if text else Reason(ReasonCode.BARCODE_MISSING)
        )
    if len(digits) > 14:
        raise InvalidBarcode(Reason.of(ReasonCode.BARCODE_TOO_LONG, barcode=text[:40], digits=len(text)))
    code = digits.zfill(8 if len(digits) <= 8 else 13)
    if not _check_digit_fits(code):
        raise InvalidBarcode(Reason.of(ReasonCode.BARCODE_CHECK_DIGIT, barcode=text))
    return code


def _check_digit_fits(code: str) -> bool:
    """Whether the last digit fits: from it to the left, digits count once and three times in turn."""
    digits = code.encode().translate(DIGIT_VALUES)
    return (sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0


def plain_text(value: object) -> str:
    """One line of text from a value of any type; empty for one without text (a list, an object, true, ``N/A``)."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _number(value)
    if "&" in text:
        for _ in range(MAX_UNESCAPES):
            escaped, text = text, html.unescape(text)
            if text == escaped:
                break
    text = HTML_TAG.sub(" ", HIDDEN_ELEMENT.sub(" ", text)) if "<" in text else text
    if not text.isprintable():  # else it has no blanks or invisible characters of these kinds
        text = "".join(" " if _is_blank(c) else c for c in text if not _is_invisible(c))
    text = " ".join(text.split())
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "" if len(text) <= MAX_EMPTY_LENGTH and text.lower() in EMPTY else text


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def without_allergen_marks(text: str) -> str:
    """Ingredients without the underscores that mark allergens."""
    return ALLERGEN.sub(_inner, text) if "_" in text else text


def _inner(found: re.Match[str]) -> str:  # calling a function is faster than filling in a template
    return found[1]


def _is_blank(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Zl", "Zp", "Zs"}


def _is_invisible(character: str) -> bool:
    # Marks of direction and order, soft hyphens, surrogates, private and unassigned. Joiners belong to letters.
    return unicodedata.category(character) in {"Cf", "Cs", "Co", "Cn"} and character not in "\u200c\u200d"

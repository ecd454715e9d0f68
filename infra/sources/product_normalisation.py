"""Normalises products of the Open Food Facts family to a listing's content, or to the reason why there is none.

The data may be anything: contributors typed it, bots changed it, and its structure changed over ten years (see the
change log of the databases' product schema). A product that cannot be used gets a ``problem``; repairs and omissions
become notes.
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
ATTRIBUTE_FIELDS = {
    "brand": ("brands",),
    "quantity": ("quantity",),
    "packaging": ("packaging_text", "packaging"),
    "labels": ("labels",),
    "origins": ("origins", "manufacturing_places"),
}
NOT_SPLIT_AT_COMMAS = {"quantity"}  # a comma in a quantity is a decimal separator
TEXT_FIELDS = ("product_name", "generic_name", "ingredients_text")
PHOTO_FIELDS = ("image_front_url", "image_url", "selected_images", "images")
CATEGORY_FIELDS = ("categories_tags", "categories_hierarchy", "categories")
MAX_CATEGORIES = 50
MAX_CATEGORY_LENGTH = 200
MAX_CACHED_LENGTH = 100  # characters; the normal form of longer texts is not cached
PHOTO_WIDTHS = ("400", "full", "200", "100")
LANGUAGE = re.compile(r"[a-z]{2,3}")
DIGIT_VALUES = bytes(max(0, byte - ord("0")) for byte in range(256))  # indexed by the byte of an ASCII digit
HTML_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
HIDDEN_ELEMENT = re.compile(r"<(script|style)\b[^>]*>.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# The databases' own markup: allergens are between underscores. The pattern starts with an underscore, and only then
# checks the character before it, so that the search can jump from underscore to underscore.
ALLERGEN = re.compile(r"_(?<![^\W_]_)_*([^\W_](?:[^_\n]{0,200}[^\W_])?)_+(?![^\W_])")
# Notes of many products.
NAME_MISSING = Reason(ReasonCode.NAME_MISSING)
GENERIC_NAME_USED = Reason(ReasonCode.GENERIC_NAME_USED)
BRAND_USED = Reason(ReasonCode.BRAND_USED)
IMAGE_MISSING = Reason(ReasonCode.IMAGE_MISSING)
IMAGE_ADDRESS_BUILT = Reason(ReasonCode.IMAGE_ADDRESS_BUILT)
MAX_EMPTY_LENGTH = max(map(len, EMPTY))  # characters
MAX_UNESCAPES = 3  # saving a form several times results in texts such as "&amp;amp;eacute;"


def requested_fields(languages: Sequence[str]) -> tuple[str, ...]:
    """The fields to request from a database: all that ``normalise`` reads."""
    texts = [name for field in TEXT_FIELDS for name in (field, *(f"{field}_{language}" for language in languages))]
    attributes = [name for names in ATTRIBUTE_FIELDS.values() for name in names]
    return ("code", "lang", *texts, *attributes, *CATEGORY_FIELDS, "categories_lc", *PHOTO_FIELDS, "last_modified_t")


def normalise(raw: object, database: ProductDatabase, languages: Sequence[str] = ("en", "fr")) -> SourceProduct:
    """Normalise a product; ``raw`` may be any JSON value, and no error is raised.

    Texts are taken in the first of ``languages`` that has them, else in the product's own language, else in any.
    """
    if not isinstance(raw, Mapping):
        return SourceProduct(None, None, None, Reason(ReasonCode.NOT_A_PRODUCT))
    raw_code = next((raw[key] for key in ("code", "_id", "id") if raw.get(key)), None)
    try:
        code = normalise_barcode(raw_code)
    except InvalidBarcode as error:
        external_id = plain_text(raw_code)[:MAX_EXTERNAL_ID] or None
        return SourceProduct(external_id, None, None, reason_of(error))
    notes: list[Reason] = []
    if isinstance(raw_code, str) and raw_code.strip() != code:
        notes.append(Reason.of(ReasonCode.BARCODE_REWRITTEN, barcode=raw_code.strip()[:40]))
    provenance = Provenance(database.name, database.page_of(code), categories_of(raw), _modified_at(raw))
    content = _content(raw, code, database, languages, notes)
    if not (content.name or content.description or content.images):
        return SourceProduct(code, None, provenance, NOTHING_TO_CATEGORISE, tuple(notes))
    return SourceProduct(code, content, provenance, None, tuple(notes))


def _content(
    raw: Mapping[str, Any], code: str, database: ProductDatabase, languages: Sequence[str], notes: list[Reason]
) -> Content:
    name, generic, ingredients = (_in_language(raw, field, languages) for field in TEXT_FIELDS)
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


def _in_language(raw: Mapping[str, Any], field: str, languages: Sequence[str]) -> str:
    """The text in the first of ``languages`` that has it, else in the product's own, else in any (sorted by code)."""
    for language in languages:
        if value := plain_text(raw.get(f"{field}_{language}")):
            return value
    if value := plain_text(raw.get(field)):
        return value
    other_keys = sorted(str(key) for key in raw if str(key).startswith(f"{field}_") and len(str(key)) <= len(field) + 4)
    return next(filter(None, (plain_text(raw.get(key)) for key in other_keys)), "")


def _attributes(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, fields in ATTRIBUTE_FIELDS.items():
        for field in fields:
            if value := _attribute(raw.get(field), split=key not in NOT_SPLIT_AT_COMMAS):
                yield key, value
                break


def _attribute(value: object, *, split: bool) -> str:
    if isinstance(value, str) and 0 < len(value) <= MAX_CACHED_LENGTH:
        return _cached_joined_words(value) if split else _cached_plain_text(value)
    return _joined_words(value) if split else plain_text(value)


@lru_cache(maxsize=1 << 13)  # brands, sizes and labels repeat
def _cached_plain_text(value: str) -> str:
    return plain_text(value)


@lru_cache(maxsize=1 << 14)
def _cached_joined_words(value: str) -> str:
    return _joined_words(value)


def _joined_words(value: object) -> str:
    """The words joined by commas, without the language prefix that some have (``fr:Carton``)."""
    if not value:
        return ""
    parts = value if isinstance(value, list) else plain_text(value).split(",")
    words = filter(None, (plain_text(part) for part in parts))
    return ", ".join(dict.fromkeys(word[3:] if word[2:3] == ":" and word[:2].islower() else word for word in words))


def _cut(text: str, limit: int, code: ReasonCode, notes: list[Reason], **details: str) -> str:
    if len(text) <= limit:
        return text
    notes.append(Reason.of(code, limit=limit, size=len(text), **details))
    return text[:limit].rstrip()


def categories_of(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The database's own categories as distinct tags (``en:champagnes``), from general to specific."""
    language = raw.get("categories_lc")
    prefix = language if isinstance(language, str) and language.isalpha() and len(language) == 2 else "en"
    for field in CATEGORY_FIELDS:
        value = raw.get(field)
        parts = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else []
        tags = (_tag(part, prefix if field == "categories" else "en") for part in parts[: 4 * MAX_CATEGORIES])
        categories = tuple(dict.fromkeys(tag for tag in tags if tag))
        if categories:
            return categories[-MAX_CATEGORIES:]
    return ()


def _tag(value: object, prefix: str) -> str:
    return _cached_tag(value, prefix) if isinstance(value, str) else ""


@lru_cache(maxsize=1 << 14)  # an export repeats a few thousand tags millions of times
def _cached_tag(value: str, prefix: str) -> str:
    text = plain_text(value).lower()
    if text[2:3] == ":" and text[:2].isalpha():
        prefix, text = text[:2], text[3:]
    name = "-".join("".join(character if character.isalnum() else " " for character in text).split())
    return f"{prefix}:{name}" if name and len(name) <= MAX_CATEGORY_LENGTH else ""


def _modified_at(raw: Mapping[str, Any]) -> datetime | None:
    seconds = parse_count(raw.get("last_modified_t"))
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def parse_count(value: object) -> int | None:
    """A non-negative integer below 2**53, which may be given as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(str(value).strip()) if isinstance(value, str) else int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**53 else None


class FrontPhoto(NamedTuple):
    """The address of a product's front photo, None if it has none, and a note about it for users."""

    address: str | None
    note: Reason | None


def find_front_photo(
    raw: Mapping[str, Any], code: str, database: ProductDatabase, languages: Sequence[str]
) -> FrontPhoto:
    """Find the address of the front photo in the product, or build it from the product's image metadata.

    Only addresses at the database's own hosts are accepted: our rate limits and robots.txt rules cover only those.
    """
    note = None
    for stated_address in _stated_addresses(raw, languages):
        address = _absolute(stated_address, database)
        if address and _is_photo(address, database):
            return FrontPhoto(address, note)
        note = Reason.of(ReasonCode.IMAGE_ADDRESS_LEFT_OUT, address=plain_text(stated_address)[:100])
    address = _built_address(raw.get("images"), code, database, languages)
    if address:
        return FrontPhoto(address, note or IMAGE_ADDRESS_BUILT)
    return FrontPhoto(None, note or IMAGE_MISSING)


def _stated_addresses(raw: Mapping[str, Any], languages: Sequence[str]) -> Iterator[str]:
    for key in ("image_front_url", "image_url"):
        if text := plain_text(raw.get(key)):
            yield text
    by_language = raw.get("selected_images")
    for key in ("front", "display"):
        by_language = by_language.get(key) if isinstance(by_language, Mapping) else None
    if isinstance(by_language, Mapping):
        yield from filter(None, (plain_text(by_language[key]) for key in _by_preference(by_language, languages)))


def _absolute(address: str, database: ProductDatabase) -> str | None:
    """The absolute address of a photo, from one that may lack its scheme, or its scheme and host; None if invalid."""
    try:
        absolute = urljoin(f"{database.images}/", address.replace(" ", "%20"))
        return absolute if urlsplit(absolute).hostname and len(absolute) <= MAX_ADDRESS else None
    except ValueError:
        return None


def _is_photo(address: str, database: ProductDatabase) -> bool:
    parts = urlsplit(address)
    # The API states an address under "/invalid/" for a product whose barcode has no photo folder.
    return parts.scheme in {"http", "https"} and parts.netloc in database.image_hosts and "/invalid" not in parts.path


def _built_address(images: object, code: str, database: ProductDatabase, languages: Sequence[str]) -> str | None:
    if not isinstance(images, Mapping):
        return None
    selected = images.get("selected")
    fronts = selected.get("front") if isinstance(selected, Mapping) else None
    if not isinstance(fronts, Mapping):  # as before version 1002 of the product schema
        fronts = {str(key)[6:]: image for key, image in images.items() if str(key).startswith("front_")}
    folder = f"{database.images}/images/products/{photo_folder(code)}"
    for language in _by_preference(fronts, languages):
        image = fronts[language]
        revision = plain_text(image.get("rev")) if isinstance(image, Mapping) else ""
        if revision.isascii() and revision.isdigit() and LANGUAGE.fullmatch(language):
            return f"{folder}/front_{language}.{revision}.{_width(image)}.jpg"
    return None


def photo_folder(code: str) -> str:
    """The folder of a barcode's photos, such as ``317/678/320/0000`` for 3176783200000."""
    padded = code.zfill(13)
    return f"{padded[:3]}/{padded[3:6]}/{padded[6:9]}/{padded[9:]}"


def _by_preference(by_language: Mapping[Any, Any], languages: Sequence[str]) -> Iterator[str]:
    yield from (language for language in languages if language in by_language)
    yield from sorted(key for key in by_language if isinstance(key, str) and key not in languages)


def _width(image: Mapping[str, Any]) -> str:
    sizes = image.get("sizes")
    return next((width for width in PHOTO_WIDTHS if width in sizes), "400") if isinstance(sizes, Mapping) else "400"


class InvalidBarcode(InvalidInput):
    """A value that is not a valid barcode; the message says why."""


def normalise_barcode(value: object) -> str:
    """The barcode as product databases write it: 8 or 13 digits, or 14 if the first one is not 0.

    Leading zeros are not significant, so ``34000460625`` and ``0034000460625`` are the same product. Raises
    InvalidBarcode for letters, for a length that no barcode has, and for a wrong check digit.
    """
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not digits:
        raise InvalidBarcode(
            Reason.of(ReasonCode.BARCODE_NOT_DIGITS, barcode=text[:40]) if text else Reason(ReasonCode.BARCODE_MISSING)
        )
    if len(digits) > 14:
        raise InvalidBarcode(Reason.of(ReasonCode.BARCODE_TOO_LONG, barcode=text[:40], digits=len(text)))
    code = digits.zfill(8 if len(digits) <= 8 else 13)
    if not _check_digit_is_valid(code):
        raise InvalidBarcode(Reason.of(ReasonCode.BARCODE_CHECK_DIGIT, barcode=text))
    return code


def _check_digit_is_valid(code: str) -> bool:
    """Whether the check digit is right: from right to left, digits are weighted 1 and 3 alternately."""
    digits = code.encode().translate(DIGIT_VALUES)
    return (sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0


def plain_text(value: object) -> str:
    """One line of plain text from a value of any type; empty if it has no text (a list, an object, true, ``N/A``)."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _number(value)
    if "&" in text:
        for _ in range(MAX_UNESCAPES):
            escaped, text = text, html.unescape(text)
            if text == escaped:
                break
    text = HTML_TAG.sub(" ", HIDDEN_ELEMENT.sub(" ", text)) if "<" in text else text
    if not text.isprintable():  # a printable text has no such blanks or invisible characters
        text = "".join(" " if _is_blank(char) else char for char in text if not _is_invisible(char))
    text = " ".join(text.split())
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "" if len(text) <= MAX_EMPTY_LENGTH and text.lower() in EMPTY else text


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def without_allergen_marks(text: str) -> str:
    """Remove the underscores that mark allergens from a list of ingredients."""
    return ALLERGEN.sub(_marked_words, text) if "_" in text else text


def _marked_words(match: re.Match[str]) -> str:  # faster than a replacement template
    return match[1]


def _is_blank(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Zl", "Zp", "Zs"}


def _is_invisible(character: str) -> bool:
    # Direction and byte order marks, soft hyphens, surrogates, private and unassigned characters; but joiners are text.
    return unicodedata.category(character) in {"Cf", "Cs", "Co", "Cn"} and character not in "\u200c\u200d"

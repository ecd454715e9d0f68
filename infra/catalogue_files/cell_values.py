"""Turn cells into texts, attributes and images."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence

from pipeline.domain.display_text import has_visible_character
from pipeline.domain.listing import MAX_ADDRESS, MAX_ATTRIBUTE

EMPTY = {"", "nan", "null", "none", "n/a", "nil"}
LONGEST_EMPTY = max(map(len, EMPTY))
RUBY_STRING = r'"((?:[^"\\]|\\.)*)"'
RUBY_KEY = re.compile(r'"key"\s*=>\s*' + RUBY_STRING)
RUBY_VALUE = re.compile(r'"value"\s*=>\s*' + RUBY_STRING)
RUBY_HASH = re.compile(r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*+")*+\}')  # braces inside quotes are text
RUBY_PAIR = re.compile(RUBY_STRING + r"\s*=>\s*" + RUBY_STRING)
ELLIPSES = ("...", "…")
DEPTH = 8
MAX_UNESCAPES = 3
LANGUAGES = ("en", "fr")  # preferred first, where an object has a text in several languages
LANGUAGE_KEY = re.compile(r"@?([a-z]{2})(?:[_-][A-Za-z]{2})?")
# Keys that may stand beside the name of an object without being part of its text.
OBJECT_KEYS = frozenset({"@type", "@id", "id", "key", "slug", "url", "typeId", "type"})
ADDRESS = re.compile(r"(?:https?:)?//[^/\s]", re.IGNORECASE)
NEXT_ADDRESS = re.compile(r"[,;|\s]+(?=(?:https?:)?//)", re.IGNORECASE)
FILE_LIST = re.compile(r"\s*[,;|]\s*")
IMAGE_FILE = re.compile(r"\.(?:jpe?g|png|webp|gif|avif|bmp|tiff?|heic)$", re.IGNORECASE)
IMAGE_KEYS = ("url", "src", "path")


def text_of(value: object) -> str:
    """A cell as trimmed text, without NUL bytes and lone surrogates, which no database holds.

    Empty when nothing of it is visible. Bytes are text when they are UTF-8; lists and objects are not.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.isprintable():  # most cells: nothing in them has to be replaced
            return "" if len(text) <= LONGEST_EMPTY and text.lower() in EMPTY else text
    elif isinstance(value, bytes):
        value = _decoded(value)
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        value = int(value)  # spreadsheets and JSON of other programs write whole numbers, ids among them, like this
    text = str(value).replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
    return "" if text.lower() in EMPTY or not has_visible_character(text) else text


def prose_of(value: object, between: str = "\n", deep: int = DEPTH) -> str:
    """A cell of any kind as text: the parts of a list one after the other, an object as ``key: value``.

    Anything deeper than ``deep`` levels is left out.
    """
    if not isinstance(value, (Mapping, list)):
        return text_of(value)
    if not deep:
        return ""
    if (single := _text_of_object(value)) is not None:
        return prose_of(single, between, deep - 1)
    if isinstance(value, list):
        return between.join(filter(None, (prose_of(part, ", ", deep - 1) for part in value)))
    pairs = ((text_of(key), prose_of(part, ", ", deep - 1)) for key, part in value.items())
    return between.join(f"{key}: {part}" for key, part in pairs if key and part)


def decoded_entities(text: str) -> str:
    """The text with HTML entities decoded, also those that were escaped several times."""
    for _ in range(MAX_UNESCAPES):
        if "&" not in text or (decoded := html.unescape(text)) == text:
            break
        text = decoded
    return text


def attributes_of(value: object) -> dict[str, str]:
    """Attributes from a JSON object, a JSON list of key and value, or a Ruby hash as Flipkart's catalogue has them."""
    if isinstance(value, Mapping):
        pairs = [(text_of(key), _attribute(part)) for key, part in value.items()]
        return {key: text for key, text in pairs if key and text}
    if isinstance(value, list):
        found = [item for item in value if isinstance(item, dict)]
        pairs = [(text_of(item.get("key", item.get("name"))), _attribute(item.get("value"))) for item in found]
        return {key: text for key, text in pairs if key and text}
    text = text_of(value)
    if not text.startswith(("{", "[")):
        return {}
    if "=>" in text:
        return _ruby(text)
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return attributes_of(loaded) if isinstance(loaded, (dict, list)) else {}


def images_of(value: object) -> tuple[list[str], list[str]]:
    """The http(s) addresses in a cell, and the plain file names; ``//host/…`` is an https address."""
    items = value if isinstance(value, list) else [value] if isinstance(value, dict) else _listed(_name_of(value))
    texts = [_name_of(_first_of(item, IMAGE_KEYS) if isinstance(item, dict) else item) for item in items]
    if len(texts) == 1 and ADDRESS.match(texts[0]):
        texts = NEXT_ADDRESS.split(texts[0])
    elif len(texts) == 1 and len(names := FILE_LIST.split(texts[0])) > 1 and all(map(IMAGE_FILE.search, names)):
        texts = names
    texts = [text.strip(" ,;|") for text in texts]
    addresses = [f"https:{text}" if text.startswith("//") else text for text in texts if ADDRESS.match(text)]
    files = [text for text in texts if text and "://" not in text and not text.startswith("//")]
    return list(dict.fromkeys(addresses)), files


def photo_of(value: object) -> bytes | None:
    """The bytes of the first photo in the cell itself: alone, in a list, or under the key ``bytes``."""
    for item in value if isinstance(value, list) else [value]:
        content = item.get("bytes") if isinstance(item, Mapping) else item
        if isinstance(content, bytes) and content and (isinstance(item, Mapping) or not _name_of(content)):
            return content
    return None


def _text_of_object(value: object) -> object | None:
    """The text of an object that only holds one: by language, or as a name with its id; None for any other value."""
    if isinstance(value, list):
        by_language = {
            text_of(each.get("lang", each.get("language"))): each.get("text", each.get("value"))
            for each in value
            if isinstance(each, Mapping) and ("lang" in each or "language" in each)
        }
        return _preferred(by_language) if value and len(by_language) == len(value) else None
    if not isinstance(value, Mapping) or not value:
        return None
    if ("lang" in value or "language" in value) and ("text" in value or "value" in value):
        text: object = value.get("text", value.get("value"))
        return text
    if all(isinstance(key, str) and LANGUAGE_KEY.fullmatch(key) for key in value):
        return _preferred(value)
    for key in ("name", "@value", "label"):
        if key in value and OBJECT_KEYS.issuperset(set(value) - {key}):
            named: object = value[key]
            return named
    return None


def _preferred(by_language: Mapping[str, object]) -> object:
    def rank(key: str) -> int:
        language = key.lstrip("@")[:2].lower()
        return LANGUAGES.index(language) if language in LANGUAGES else len(LANGUAGES)

    filled = [key for key in by_language if text_of(by_language[key])]
    return by_language[min(filled, key=rank)] if filled else ""


def _attribute(value: object) -> str:
    text = prose_of(value, ", ")
    # The length of a text is checked with its row; a whole tree of values is no attribute.
    return text if isinstance(value, str) or len(text) <= MAX_ATTRIBUTE else ""


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _ruby(text: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for part in RUBY_HASH.findall(text):
        key, value = RUBY_KEY.search(part), RUBY_VALUE.search(part)
        found = [(key[1], value[1])] if key and value else []
        if not key and not value:
            found = RUBY_PAIR.findall(part)
        for name, content in found:
            if (clean := _unescaped(content)) and (clean_name := _unescaped(name)):
                attributes.setdefault(clean_name, clean)
    return attributes


def _unescaped(text: str) -> str:
    return text_of(text.replace('\\"', '"').replace("\\n", " ").replace("\\\\", "\\"))


def _name_of(value: object) -> str:
    # Bytes are a name when nothing in them says that they are a picture.
    if isinstance(value, bytes) and (len(value) > MAX_ADDRESS or any(byte < 32 for byte in value)):
        return ""
    return text_of(value)


def _first_of(item: Mapping[str, object], keys: Sequence[str]) -> object:
    return next((item[key] for key in keys if item.get(key)), None)


def _listed(text: str) -> list[object]:
    if text.startswith("["):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            return [text.strip('[]"')]
        return loaded if isinstance(loaded, list) else []
    return [text] if text else []

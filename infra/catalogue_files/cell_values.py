"""Turn cells into texts, attributes, category paths and images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from pipeline.domain.category import Category
from pipeline.domain.display_text import has_visible_character
from pipeline.domain.errors import InvalidCategory
from pipeline.domain.listing import MAX_ADDRESS, MAX_ATTRIBUTE
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode

EMPTY = {"", "nan", "null", "none", "n/a", "nil"}
RUBY_STRING = r'"((?:[^"\\]|\\.)*)"'
RUBY_KEY = re.compile(r'"key"\s*=>\s*' + RUBY_STRING)
RUBY_VALUE = re.compile(r'"value"\s*=>\s*' + RUBY_STRING)
RUBY_HASH = re.compile(r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*+")*+\}')  # braces inside quotes are text
RUBY_PAIR = re.compile(RUBY_STRING + r"\s*=>\s*" + RUBY_STRING)
ELLIPSES = ("...", "…")
DEPTH = 8
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
NEXT_ADDRESS = re.compile(r"[,;|\s]+(?=https?://)", re.IGNORECASE)
IMAGE_KEYS = ("url", "src", "path")


def text_of(value: object) -> str:
    """A cell as trimmed text, without NUL bytes and lone surrogates, which no database holds.

    Empty when nothing of it is visible. Bytes are text when they are UTF-8; lists and objects are not.
    """
    if isinstance(value, bytes):
        value = _decoded(value)
    if value is None or isinstance(value, (dict, list)):
        return ""
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
    if isinstance(value, list):
        return between.join(filter(None, (prose_of(part, ", ", deep - 1) for part in value)))
    pairs = ((text_of(key), prose_of(part, ", ", deep - 1)) for key, part in value.items())
    return between.join(f"{key}: {part}" for key, part in pairs if key and part)


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


def category_of(value: object) -> tuple[Category | None, Reason | None]:
    """The category path, and a note when it was shortened or cannot be used.

    Reads ``A >> B``, ``A > B``, ``A>B``, ``A | B``, ``/A/B``, ``A/B/C``, a list of parts, a list of paths (the first
    one counts), an object with a ``path`` or a ``name``, or a JSON list of one path.
    A last part that is cut with ``...`` is dropped.
    """
    parts = _category_parts(value)
    note = None
    if parts and parts[-1].endswith(ELLIPSES):
        parts, note = parts[:-1], Reason(ReasonCode.CATEGORY_CUT)
    if not parts:
        return None, note
    try:
        return Category.parse(" >> ".join(parts)), note
    except InvalidCategory as error:
        return None, Reason.of(ReasonCode.CATEGORY_LEFT_OUT, problem=reason_of(error))


def images_of(value: object) -> tuple[list[str], str | None]:
    """The http(s) addresses in a cell, and the first plain file name."""
    items = value if isinstance(value, list) else [value] if isinstance(value, dict) else _listed(_name_of(value))
    texts = [_name_of(_first_of(item, IMAGE_KEYS) if isinstance(item, dict) else item) for item in items]
    if len(texts) == 1 and ADDRESS.match(texts[0]):
        texts = [part.strip() for part in NEXT_ADDRESS.split(texts[0])]
    addresses = [text for text in texts if ADDRESS.match(text)]
    files = [text for text in texts if text and "://" not in text]
    return list(dict.fromkeys(addresses)), files[0] if files else None


def photo_of(value: object) -> bytes | None:
    """The bytes of the first photo in the cell itself: alone, in a list, or under the key ``bytes``."""
    for item in value if isinstance(value, list) else [value]:
        content = item.get("bytes") if isinstance(item, Mapping) else item
        if isinstance(content, bytes) and content and (isinstance(item, Mapping) or not _name_of(content)):
            return content
    return None


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


def _category_parts(value: object, deep: int = DEPTH) -> list[str]:
    if not deep:
        return []
    if isinstance(value, Mapping):
        return _category_parts(value.get("path", value.get("name")), deep - 1)
    if isinstance(value, list):
        if value and isinstance(value[0], (list, Mapping)):  # several paths: the first one counts
            return _category_parts(value[0], deep - 1)
        texts = [text for text in map(text_of, value) if text]
        whole = next((text for text in texts if ">" in text), None)
        return _category_parts(whole) if whole is not None else texts
    text = text_of(value)
    if text.startswith("["):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            return _category_parts(text.strip('[]"'))
        return _category_parts(loaded) if isinstance(loaded, list) else []
    for separator in (">>", ">", "|", " / "):
        if separator in text:
            break
    else:
        # One slash alone may belong to a name, as in "TV/Audio".
        separator = "/" if text.startswith("/") or text.count("/") > 1 else ">>"
    return [" ".join(part.split()) for part in text.split(separator) if part.strip()]


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

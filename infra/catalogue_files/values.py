"""Cells as they come, turned into texts, attributes, and category paths."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from infra.catalogue_files.record import MAX_ATTRIBUTE
from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidCategory
from pipeline.domain.text import visible

EMPTY = {"", "nan", "null", "none", "n/a", "nil"}
RUBY_STRING = r'"((?:[^"\\]|\\.)*)"'
RUBY_KEY = re.compile(r'"key"\s*=>\s*' + RUBY_STRING)
RUBY_VALUE = re.compile(r'"value"\s*=>\s*' + RUBY_STRING)
RUBY_HASH = re.compile(r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*+")*+\}')  # braces inside quotes are text
RUBY_PAIR = re.compile(RUBY_STRING + r"\s*=>\s*" + RUBY_STRING)
CUT = ("...", "…")
DEPTH = 8


def text_of(value: object) -> str:
    """A cell as clean text: NUL bytes and lone surrogates gone (no database holds them), ends trimmed;
    empty when nothing of it shows.

    Bytes are text when they are UTF-8; a list or an object is none.
    """
    if isinstance(value, bytes):
        value = _decoded(value)
    if value is None or isinstance(value, (dict, list)):
        return ""
    text = str(value).replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
    return "" if text.lower() in EMPTY or not visible(text) else text


def prose_of(value: object, between: str = "\n", deep: int = DEPTH) -> str:
    """A cell as text whatever it holds: the parts of a list one after the other, an object as ``key: value``.

    What lies deeper than ``deep`` levels is left out.
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
    """Attributes of a JSON object, a JSON list of key and value, or Flipkart's hash in Ruby's notation."""
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


def category_of(value: object) -> tuple[Category | None, str | None]:
    """The category path and, when it was shortened or cannot be used, a note.

    Takes ``A >> B``, ``A > B``, ``A>B``, ``A | B``, ``/A/B``, ``A/B/C``, a list of parts, a list of paths (the first
    one counts), an object with a ``path`` or a ``name``, or a JSON list of one path.
    A last part cut with ``...`` is dropped: what it was cannot be known.
    """
    parts = _category_parts(value)
    note = None
    if parts and parts[-1].endswith(CUT):
        parts, note = parts[:-1], "the cut last part of the category was dropped"
    if not parts:
        return None, note
    try:
        return Category.parse(" >> ".join(parts)), note
    except InvalidCategory as error:
        return None, f"the category was left out: {error}"


def _attribute(value: object) -> str:
    text = prose_of(value, ", ")
    # A text is judged by whoever takes the row; a whole tree of values is no attribute.
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

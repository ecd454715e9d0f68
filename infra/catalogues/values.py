"""Cells as they come, turned into texts, attributes, category paths and images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidCategory

EMPTY = {"", "nan", "null", "none", "n/a", "nil"}
RUBY_STRING = r'"((?:[^"\\]|\\.)*)"'
RUBY_KEY = re.compile(r'"key"\s*=>\s*' + RUBY_STRING)
RUBY_VALUE = re.compile(r'"value"\s*=>\s*' + RUBY_STRING)
RUBY_HASH = re.compile(r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*+")*+\}')  # braces inside quotes are text
RUBY_PAIR = re.compile(RUBY_STRING + r"\s*=>\s*" + RUBY_STRING)
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
NEXT_ADDRESS = re.compile(r"[,;|\s]+(?=https?://)", re.IGNORECASE)
CUT = ("...", "…")


def text_of(value: object) -> str:
    """A cell as clean text: NUL bytes and lone surrogates gone (no database holds them), ends trimmed."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    text = str(value).replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
    return "" if text.lower() in EMPTY else text


def attributes_of(value: object) -> dict[str, str]:
    """Attributes of a JSON object, a JSON list of key and value, or Flipkart's hash in Ruby's notation."""
    if isinstance(value, Mapping):
        return {text_of(k): _joined(v) for k, v in value.items() if text_of(k) and _joined(v)}
    if isinstance(value, list):
        pairs = [(text_of(v.get("key", v.get("name"))), _joined(v.get("value"))) for v in value if isinstance(v, dict)]
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

    Takes ``A >> B``, ``A > B``, ``A>B``, ``A | B``, ``/A/B``, ``A/B/C``, a list of parts, or a JSON list of one path.
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


def images_of(value: object) -> tuple[list[str], str | None]:
    """The http(s) addresses, and the first plain file name."""
    items = value if isinstance(value, list) else _listed(text_of(value))
    texts = [text_of(v.get("url", v.get("src")) if isinstance(v, dict) else v) for v in items]
    if len(texts) == 1 and ADDRESS.match(texts[0]):
        texts = [part.strip() for part in NEXT_ADDRESS.split(texts[0])]
    addresses = [text for text in texts if ADDRESS.match(text)]
    files = [text for text in texts if text and "://" not in text]
    return list(dict.fromkeys(addresses)), files[0] if files else None


def _joined(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(text_of, value)))
    return text_of(value)


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


def _category_parts(value: object) -> list[str]:
    if isinstance(value, list):
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


def _listed(text: str) -> list[object]:
    if text.startswith("["):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            return [text.strip('[]"')]
        return loaded if isinstance(loaded, list) else []
    return [text] if text else []

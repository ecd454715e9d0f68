"""What a cell says of pictures: addresses, file names, or the bytes themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from infra.catalogues.limits import MAX_ADDRESS
from infra.catalogues.values import text_of

ADDRESS = re.compile(r"https?://", re.IGNORECASE)
NEXT_ADDRESS = re.compile(r"[,;|\s]+(?=https?://)", re.IGNORECASE)
KEYS = ("url", "src", "path")


def images_of(value: object) -> tuple[list[str], str | None]:
    """The http(s) addresses, and the first plain file name."""
    items = value if isinstance(value, list) else [value] if isinstance(value, dict) else _listed(_name_of(value))
    texts = [_name_of(next(map(v.get, filter(v.get, KEYS)), None) if isinstance(v, dict) else v) for v in items]
    if len(texts) == 1 and ADDRESS.match(texts[0]):
        texts = [part.strip() for part in NEXT_ADDRESS.split(texts[0])]
    addresses = [text for text in texts if ADDRESS.match(text)]
    files = [text for text in texts if text and "://" not in text]
    return list(dict.fromkeys(addresses)), files[0] if files else None


def photo_of(value: object) -> bytes | None:
    """The bytes of the first photo that lies in the cell itself: alone, in a list, or under the key ``bytes``."""
    for item in value if isinstance(value, list) else [value]:
        content = item.get("bytes") if isinstance(item, Mapping) else item
        if isinstance(content, bytes) and content and (isinstance(item, Mapping) or not _name_of(content)):
            return content
    return None


def _name_of(value: object) -> str:
    # Bytes are a name when nothing in them says that they are a picture.
    if isinstance(value, bytes) and (len(value) > MAX_ADDRESS or any(byte < 32 for byte in value)):
        return ""
    return text_of(value)


def _listed(text: str) -> list[object]:
    if text.startswith("["):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            return [text.strip('[]"')]
        return loaded if isinstance(loaded, list) else []
    return [text] if text else []

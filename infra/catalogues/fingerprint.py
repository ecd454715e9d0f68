"""What an import reads and how, as one fingerprint: of the same, an interrupted one can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def fingerprint_of(file: Path, columns: Mapping[str, str], images: Path | None) -> str:
    """SHA-256 (hex) of a file's bytes, the columns chosen for it, and the folder of its photos."""
    with file.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    how = [content, sorted(columns.items()), str(images.resolve()) if images else None]
    return hashlib.sha256(json.dumps(how).encode()).hexdigest()

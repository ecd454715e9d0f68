"""Read uploaded files of categories."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePath

from infra.taxonomy_files.taxonomy_file import read_taxonomy
from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.taxonomy import ListedTaxonomy

SUFFIX_BY_MEDIA_TYPE = {
    "application/json": ".json",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}


def read_upload(content: bytes, filename: str) -> ListedTaxonomy:
    """The categories of an uploaded file. Raises InvalidInput, which names the file as the user does."""
    name = PurePath(filename.replace("\\", "/")).name or "the file"
    with tempfile.TemporaryDirectory(prefix="rayon-taxonomy-") as folder:
        path = Path(folder) / f"categories{PurePath(name).suffix.lower()[:12]}"
        path.write_bytes(content)
        try:
            return read_taxonomy(path)
        except InvalidInput as error:
            reason = reason_of(error)
            if reason.code is not ReasonCode.OTHER:
                raise
            raise InvalidInput(Reason.other(str(error).replace(str(path), name))) from error

"""Detect the encoding of a text file, sample its records, and count them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from charset_normalizer import from_bytes

from infra.catalogue_files.rows import MAX_RECORDS_LOOKED_AT, SAMPLE_BYTES, SAMPLE_RECORDS, Record
from pipeline.domain.errors import InvalidCatalogue

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
KNOWN_BINARIES = {
    b"\xd0\xcf\x11\xe0": "an old spreadsheet; save the sheet as CSV first",
    b"%PDF": "a PDF; export the table as CSV",
    b"\xff\xd8\xff": "a picture; give the catalogue file, and the photos with --images",
    b"\x89PNG": "a picture; give the catalogue file, and the photos with --images",
    b"SQLite format 3": "a database; export the table as CSV",
}
CANDIDATES = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1256", "shift_jis", "gb18030", "euc_kr"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding by its Python name, and a warning when it is a guess or some bytes do not fit it."""

    name: str
    warning: str | None = None

    def open(self, path: Path) -> TextIO:
        """Open the file as text; bytes that do not fit become �, line ends stay as they are."""
        return path.open(encoding=self.name, errors="replace", newline="")

    def head(self, path: Path) -> str:
        """The first million characters, from the first that is not blank."""
        with self.open(path) as stream:
            while (text := stream.read(SAMPLE_BYTES)) and not text.strip("\ufeff \t\r\n"):
                continue
            return text


def read_start(path: Path) -> bytes:
    """The first mebibyte of a file; InvalidCatalogue when there is no file, or when it is empty or cannot be read."""
    if path.is_dir():
        raise InvalidCatalogue(f"{path} is a folder; give the catalogue file in it (CSV, XLSX, JSON, XML or Parquet)")
    try:
        with path.open("rb") as stream:
            sample = stream.read(SAMPLE_BYTES)
            while sample and not sample.strip() and (more := stream.read(SAMPLE_BYTES)):
                sample = more
    except FileNotFoundError as error:
        raise InvalidCatalogue(f"there is no file {path}; check its name and folder") from error
    except OSError as error:
        raise InvalidCatalogue(f"{path} cannot be read: {error.strerror}") from error
    if not sample.strip():
        raise InvalidCatalogue(f"{path} is empty; give a file with a header and at least one row")
    return sample


def detect_encoding(path: Path) -> Encoding:
    """The encoding of a text file; InvalidCatalogue as ``read_start`` raises it, and when it is no text."""
    sample = read_start(path)
    for mark, name in BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return Encoding(name)
    for start, advice in KNOWN_BINARIES.items():
        if sample.startswith(start):
            raise InvalidCatalogue(f"{path} is {advice}")
    if (utf16 := _utf16_without_mark(sample)) is not None:
        return Encoding(utf16)
    if sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in sample) > max(8, len(sample) // 50):
        raise InvalidCatalogue(f"{path} is a binary file; give a catalogue as CSV, XLSX, JSON, XML or Parquet")
    return _detect_eight_bits(path)


def _utf16_without_mark(sample: bytes) -> str | None:
    even, odd = sample[0:4000:2], sample[1:4000:2]
    if len(odd) > 8 and odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.05 * len(even):
        return "utf-16-le"
    if len(odd) > 8 and even.count(0) > 0.6 * len(even) and odd.count(0) < 0.05 * len(odd):
        return "utf-16-be"
    return None


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        with path.open("rb") as stream:
            while piece := stream.read(SAMPLE_BYTES):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _detect_eight_bits(path: Path) -> Encoding:
    # The whole file is read: the first accent may come after many megabytes of ASCII.
    if _is_utf8(path):
        return Encoding("utf-8")
    multibyte = broken = 0
    suspects = b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with path.open("rb") as stream:
        while piece := stream.read(SAMPLE_BYTES):
            text = decoder.decode(piece)
            replaced = text.count("�")
            multibyte += len(text) - len(text.encode("ascii", "ignore")) - replaced
            broken += replaced
            if replaced and len(suspects) < SAMPLE_BYTES:
                suspects += piece
    if multibyte > 10 * broken:
        return Encoding("utf-8", f"{broken} damaged characters (not UTF-8) were replaced by �")
    best = from_bytes(suspects, cp_isolation=CANDIDATES).best()
    name = best.encoding if best else "cp1252"
    return Encoding(name, f"the file is not UTF-8; read as {name}: check the accents")


# Files up to this size are read once more to count their rows: well under a second.
COUNTED_BYTES = 16 << 20


def sample_of(records: Iterator[Record]) -> list[Record]:
    """The first records until 500 are usable, even where a broken stretch comes first; at most 20,000."""
    sample: list[Record] = []
    usable = 0
    for record in islice(records, MAX_RECORDS_LOOKED_AT):
        sample.append(record)
        usable += record.values is not None
        if usable >= SAMPLE_RECORDS:
            break
    return sample


def count_records(path: Path, encoding: Encoding, records: Iterator[Record]) -> int:
    """The number of records: exact up to 16 MiB, else an estimate from the size of the first ones."""
    size = path.stat().st_size
    if size <= COUNTED_BYTES:
        return sum(1 for _ in records)
    sample = sample_of(records)
    if not sample:
        return 0
    lines = max(sample[-1].line, 1)
    head = encoding.head(path).splitlines(keepends=True)[:lines]
    head_size = sum(len(line.encode()) for line in head) or 1
    return max(len(sample), round(len(sample) * size / head_size * min(1.0, len(head) / lines)))

"""NDJSON (one object a line) and JSON arrays, read as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from infra.catalogues.limits import MAX_RECORD, SAMPLE_RECORDS
from infra.catalogues.record import Record


class JsonFile:
    """The objects of a file; ``columns`` are the keys met in the first 500."""

    def __init__(self, path: Path, encoding: str, array: bool) -> None:
        self._path, self._encoding, self._array = path, encoding, array
        columns: dict[str, None] = {}
        for number, record in enumerate(self.records()):
            if number >= SAMPLE_RECORDS:
                break
            columns.update(dict.fromkeys(record.values or {}))
        self.columns = list(columns)

    def records(self) -> Iterator[Record]:
        """Every object in order; what is none has a problem instead of values."""
        with self._path.open(encoding=self._encoding, errors="replace") as stream:
            yield from _array(stream) if self._array else _lines(stream)


def _lines(stream: TextIO) -> Iterator[Record]:
    number = 0
    while line := stream.readline(MAX_RECORD + 1):
        number += 1
        if len(line) > MAX_RECORD and not line.endswith("\n"):
            while (rest := stream.readline(MAX_RECORD)) and not rest.endswith("\n"):
                continue
            yield Record(number, None, f"the line is longer than {MAX_RECORD:,} characters")
        elif line.strip():
            yield _judged(number, line)


def _judged(number: int, text: str) -> Record:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Record(number, None, f"the line is not JSON: {error}"[:200])
    return _as_record(number, value)


def _as_record(number: int, value: object) -> Record:
    if not isinstance(value, dict):
        return Record(number, None, f"the row is no JSON object but {type(value).__name__}")
    return Record(number, value)


def _array(stream: TextIO) -> Iterator[Record]:
    decoder = json.JSONDecoder()
    buffer, line, at = stream.read(MAX_RECORD), 1, 0
    at = buffer.index("[") + 1
    while True:
        if len(buffer) - at < MAX_RECORD and (more := stream.read(2 * MAX_RECORD)):
            buffer, at = buffer[at:] + more, 0
        while at < len(buffer) and buffer[at] in " \t\r\n,":
            line += buffer[at] == "\n"
            at += 1
        if at >= len(buffer):
            yield Record(line, None, "the list is not closed: the file is cut")
            return
        if buffer[at] == "]":
            return
        try:
            value, end = decoder.raw_decode(buffer, at)
        except (ValueError, RecursionError) as error:
            # Inside an array nothing tells where the next object starts: what was read so far stands.
            yield Record(line, None, f"the file is not JSON from here on: {error}"[:200])
            return
        yield _as_record(line, value)
        line += buffer.count("\n", at, end)
        at = end

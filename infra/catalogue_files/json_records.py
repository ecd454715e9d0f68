"""NDJSON (one object per line) and JSON arrays, read as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from infra.catalogue_files.column_detection import Columns
from infra.catalogue_files.encoding import Encoding, count_records
from infra.catalogue_files.rows import MAX_RECORD, SAMPLE_RECORDS, Record
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

MAX_ERROR_LENGTH = 160  # characters
MAX_OBJECT = 64 * MAX_RECORD  # read to find the end of a too long object


class JsonFile:
    """The objects of a file; ``columns`` are the keys of the first 500. InvalidCatalogue when there are none."""

    declared: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: Path, encoding: Encoding, *, array: bool) -> None:
        self._path, self._encoding, self._array = path, encoding, array
        self.warning = encoding.warning
        problem: Reason | None = None
        columns: dict[str, None] = {}
        for record in islice(self._objects(), SAMPLE_RECORDS):
            columns.update(dict.fromkeys(record.values or {}))
            problem = problem or record.problem
        self.columns = list(columns)
        if not columns:
            raise InvalidCatalogue(f"{path} holds no JSON object; give one object per line: {problem or 'it is empty'}")

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:  # noqa: ARG002 (all are read)
        """Every object in order, without the first ``start``; anything else has a problem instead of values."""
        return islice(self._objects(), start, None)

    def count(self, columns: Columns) -> int:  # noqa: ARG002 (all are read)
        """The number of objects, for large files an estimate."""
        return count_records(self._path, self._encoding, self._objects())

    def _objects(self) -> Iterator[Record]:
        with self._path.open(encoding=self._encoding.name, errors="replace") as stream:
            yield from _read_array(stream) if self._array else _read_lines(stream)


def _read_lines(stream: TextIO) -> Iterator[Record]:
    number = 0
    while line := stream.readline(MAX_RECORD + 1):
        number += 1
        if len(line) > MAX_RECORD and not line.endswith("\n"):
            while (rest := stream.readline(MAX_RECORD)) and not rest.endswith("\n"):
                continue
            yield Record(number, None, Reason.of(ReasonCode.LINE_TOO_LONG, limit=MAX_RECORD))
        elif line.strip():
            yield _record_of_line(number, line)


def _record_of_line(number: int, text: str) -> Record:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Record(number, None, Reason.of(ReasonCode.LINE_NOT_JSON, error=str(error)[:MAX_ERROR_LENGTH]))
    return _record_of(number, value)


def _record_of(number: int, value: object) -> Record:
    if not isinstance(value, dict):
        return Record(number, None, Reason.of(ReasonCode.ROW_NOT_OBJECT, kind=type(value).__name__))
    return Record(number, value)


def _read_array(stream: TextIO) -> Iterator[Record]:
    decoder = json.JSONDecoder()
    buffer, line = stream.read(MAX_RECORD), 1
    while "[" not in buffer and (more := stream.read(MAX_RECORD)):  # blanks before the list
        line, buffer = line + buffer.count("\n"), more
    at = buffer.index("[") + 1
    line += buffer.count("\n", 0, at)
    while True:
        if len(buffer) - at < MAX_RECORD and (more := stream.read(2 * MAX_RECORD)):
            buffer, at = buffer[at:] + more, 0
        while at < len(buffer) and buffer[at] in " \t\r\n,":
            line += buffer[at] == "\n"
            at += 1
        if at >= len(buffer):
            if more := stream.read(2 * MAX_RECORD):
                buffer, at = more, 0
                continue
            yield Record(line, None, Reason(ReasonCode.LIST_NOT_CLOSED))
            return
        if buffer[at] == "]":
            return
        try:
            value, end = decoder.raw_decode(buffer, at)
        except (ValueError, RecursionError) as error:
            if len(buffer) - at < MAX_OBJECT and (more := stream.read(4 * MAX_RECORD)):
                buffer, at = buffer[at:] + more, 0  # the object may go on behind what was read
                continue
            # Inside an array nothing tells where the next object starts: only the objects so far can be read.
            yield Record(line, None, Reason.of(ReasonCode.FILE_NOT_JSON, error=str(error)[:MAX_ERROR_LENGTH]))
            return
        if end - at > MAX_RECORD:
            yield Record(line, None, Reason.of(ReasonCode.ROW_TOO_LONG, limit=MAX_RECORD))
        else:
            yield _record_of(line, value)
        line += buffer.count("\n", at, end)
        at = end

"""How many records a text file holds, and a sample of them to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from infra.catalogues.encoding import Encoding
from infra.catalogues.limits import MAX_RECORDS_LOOKED_AT, SAMPLE_RECORDS
from infra.catalogues.record import Record

# Files up to this size are read once more to count their rows: well under a second.
COUNTED_BYTES = 16 << 20


def sample_of(records: Iterator[Record]) -> list[Record]:
    """The first records until 500 are good, even where a broken stretch comes first; never more than 20,000."""
    sample: list[Record] = []
    good = 0
    for record in islice(records, MAX_RECORDS_LOOKED_AT):
        sample.append(record)
        good += record.values is not None
        if good >= SAMPLE_RECORDS:
            break
    return sample


def count_records(path: Path, encoding: Encoding, records: Iterator[Record]) -> int:
    """The number of records: exact up to 16 MiB, else an estimate by the size of the first ones."""
    size = path.stat().st_size
    if size <= COUNTED_BYTES:
        return sum(1 for _ in records)
    sample = sample_of(records)
    if not sample:
        return 0
    lines = max(sample[-1].line, 1)
    read = encoding.head(path).splitlines(keepends=True)[:lines]
    read_size = sum(len(line.encode()) for line in read) or 1
    return max(len(sample), round(len(sample) * size / read_size * min(1.0, len(read) / lines)))

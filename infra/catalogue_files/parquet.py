"""Parquet files: read row group by row group in small batches, their Arrow columns as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from infra.catalogue_files.column_detection import Columns, unique_names
from infra.catalogue_files.rows import Record
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

MAGIC, MAGIC_ENCRYPTED = b"PAR1", b"PARE"
SUFFIXES = frozenset({".parquet", ".pq"})
# With photos of a megabyte each, a batch is 32 MB.
BATCH_ROWS = 32
# Column chunks are read through a window of this size instead of as a whole.
WINDOW = 1 << 20
PANDAS_INDEX = "__index_level_"


def is_parquet(path: Path, start: bytes) -> bool:
    """Whether a file is Parquet by its first bytes, or claims to be by its name."""
    return start[:4] in (MAGIC, MAGIC_ENCRYPTED) or path.suffix.lower() in SUFFIXES


class ParquetFile:
    """The rows of a Parquet file. InvalidCatalogue when it is cut, damaged or encrypted.

    A column of numbered classes, as Hugging Face data sets have them, is read as their names. In a damaged row group,
    each row that cannot be read has a problem; other row groups are not affected.
    """

    warning: str | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with self._open() as file:
                schema = file.schema_arrow
                self._groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
                self._names = unique_names(schema.names)
        except _read_errors() as error:
            raise InvalidCatalogue(self._reason(error)) from error
        self._plain_names = self._names == list(schema.names)
        self._classes = class_names(schema)
        self.columns = [name for name in self._names if not name.startswith(PANDAS_INDEX)]
        self.declared = _declared(self._classes, image_columns(schema))

    def count(self, columns: Columns) -> int:  # noqa: ARG002 (row groups know their size)
        """The number of rows."""
        return sum(self._groups)

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:
        """The rows in order, without the first ``start``, which are skipped by whole row groups where possible."""
        with self._open() as file:
            before = 0
            for group, size in enumerate(self._groups):
                if before + size > start:
                    skipped = max(start - before, 0)
                    yield from self._read_group(file, group, size, before, skipped, columns)
                before += size

    def _read_group(
        self, file: pyarrow.parquet.ParquetFile, group: int, size: int, before: int, skipped: int, columns: Columns
    ) -> Iterator[Record]:
        done = 0
        place = {"group": group + 1, "groups": len(self._groups)}
        try:
            for values in islice(self._read_rows(file, group, columns), size):
                done += 1
                if done > skipped:
                    yield Record(before + done, values)
        except _read_errors() as error:
            problem = Reason.of(ReasonCode.ROW_GROUP_DAMAGED, **place, error=_one_line(error))
        else:
            problem = Reason.of(ReasonCode.ROW_GROUP_TOO_SHORT, **place)
        for number in range(max(done, skipped), size):
            yield Record(before + number + 1, None, problem)

    def _read_rows(
        self, file: pyarrow.parquet.ParquetFile, group: int, columns: Columns
    ) -> Iterator[dict[str, object]]:
        used = list(columns.used())
        read = used if self._plain_names else None
        for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=read, use_threads=False):
            names = batch.schema.names if self._plain_names else self._names
            cells = {
                name: plain_values(column, self._classes.get(name))
                for name, column in zip(names, batch.columns, strict=True)
                if name in used
            }
            for number in range(batch.num_rows):
                yield {name: values[number] for name, values in cells.items()}

    @contextmanager
    def _open(self) -> Iterator[pyarrow.parquet.ParquetFile]:
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(self._path, buffer_size=WINDOW, pre_buffer=False) as file:
            yield file

    def _reason(self, error: BaseException) -> str:
        with self._path.open("rb") as stream:
            start = stream.read(4)
            stream.seek(max(0, self._path.stat().st_size - 4))
            end = stream.read(4)
        if start not in (MAGIC, MAGIC_ENCRYPTED):
            return f"{self._path} is no Parquet file, though it is named like one; give its suffix another name"
        if MAGIC_ENCRYPTED in (start, end):
            return f"{self._path} is encrypted; give it decrypted"
        if end != MAGIC:
            return f"{self._path} is a Parquet file whose end is missing: it was cut; copy it again"
        return f"{self._path} is a damaged Parquet file; copy it again ({_one_line(error)})"


def _read_errors() -> tuple[type[BaseException], ...]:
    import pyarrow

    return (pyarrow.ArrowException, OSError, ValueError, MemoryError)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _declared(classes: Mapping[str, object], images: Sequence[str]) -> dict[str, str]:
    declared = {}
    if len(classes) == 1:  # with several, nothing tells which is the category
        declared["category"] = next(iter(classes))
    if images:
        declared["image"] = images[0]
    return declared


def plain_values(column: pyarrow.Array, classes: Sequence[str] | None = None) -> list[object]:
    """The cells of a column; with ``classes``, numbers become the class of that number (none below 0).

    Maps become objects, whole floats integers (a column of ids with a gap is stored as floats), times texts. A cell
    that Python cannot represent is lost alone.
    """
    import pyarrow

    try:
        cells = column.to_pylist()
    except Exception:  # noqa: BLE001 (years beyond 9999, unknown time zones, bytes that are not UTF-8)
        cells = [_cell(scalar) for scalar in column]
    if classes is not None:
        return [classes[c] if isinstance(c, int) and 0 <= c < len(classes) else None for c in cells]
    if pyarrow.types.is_float16(column.type) or pyarrow.types.is_float32(column.type):
        cells = [None if cell is None else float(f"{cell:.7g}") for cell in cells]
    if pyarrow.types.is_fixed_size_binary(column.type):
        return [cell.hex() if isinstance(cell, bytes) else cell for cell in cells]
    return [_plain(cell) for cell in cells]


def class_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """The columns of numbered classes that Hugging Face data sets declare, with the names of the classes."""
    found: dict[str, list[str]] = {}
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        for column, feature in features.items():
            names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
            if isinstance(names, list) and column in schema.names:
                found[column] = [str(name) for name in names]
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return found


def image_columns(schema: pyarrow.Schema) -> list[str]:
    """The columns whose cells hold the bytes and the path of a picture."""
    import pyarrow

    return [
        field.name
        for field in schema
        if pyarrow.types.is_struct(field.type) and {"bytes", "path"} == {part.name for part in field.type}
    ]


def _cell(scalar: pyarrow.Scalar) -> object:
    import pyarrow

    try:
        return scalar.as_py()
    except Exception:  # noqa: BLE001 (the same; as much of the cell as possible is read)
        if isinstance(scalar, pyarrow.StructScalar):
            return {name: _cell(part) for name, part in scalar.items()}
        if isinstance(scalar, pyarrow.ListScalar):
            return [_cell(part) for part in scalar.values]
        if isinstance(scalar, (pyarrow.StringScalar, pyarrow.LargeStringScalar)):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "replace")
    try:
        text: str = scalar.cast(pyarrow.string()).as_py()
    except Exception:  # noqa: BLE001 (the same; such a cell is empty)
        return None
    return None if text.startswith("<") else text  # <value out of range: …>


def _plain(cell: object) -> object:
    if cell is None or isinstance(cell, (str, int, bytes)):
        return cell
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, dict):
        return {str(name): _plain(part) for name, part in cell.items()}
    if isinstance(cell, list):
        if cell and all(isinstance(part, tuple) and len(part) == 2 for part in cell):  # a map
            return {str(_plain(name)): _plain(part) for name, part in cell}
        return [_plain(part) for part in cell]
    return str(cell)

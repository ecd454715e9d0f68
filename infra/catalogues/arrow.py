"""Arrow's columns as plain values: texts, numbers, lists, objects and bytes, as the JSON formats give them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow


def plain_values(column: pyarrow.Array, classes: Sequence[str] | None = None) -> list[object]:
    """The cells of a column; with ``classes``, numbers become the class of that number (none below 0).

    Maps become objects, whole floats integers (a column of ids with a gap is stored as floats), times texts. A cell
    that Python cannot hold costs itself only.
    """
    import pyarrow

    try:
        cells = column.to_pylist()
    except Exception:  # a year beyond 9999, a zone nobody knows, bytes that are no UTF-8
        cells = [_cell(scalar) for scalar in column]
    if classes is not None:
        return [classes[c] if isinstance(c, int) and 0 <= c < len(classes) else None for c in cells]
    if pyarrow.types.is_float16(column.type) or pyarrow.types.is_float32(column.type):
        cells = [None if cell is None else float(f"{cell:.7g}") for cell in cells]
    if pyarrow.types.is_fixed_size_binary(column.type):
        return [cell.hex() if isinstance(cell, bytes) else cell for cell in cells]
    return [_plain(cell) for cell in cells]


def class_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """The columns of numbered classes, as Hugging Face's data sets declare them, and the names of the classes."""
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
    """The columns whose cells are a picture's bytes and its path."""
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
    except Exception:  # below, as much of it as can be had
        if isinstance(scalar, pyarrow.StructScalar):
            return {name: _cell(part) for name, part in scalar.items()}
        if isinstance(scalar, pyarrow.ListScalar):
            return [_cell(part) for part in scalar.values]
        if isinstance(scalar, (pyarrow.StringScalar, pyarrow.LargeStringScalar)):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "replace")
    try:
        told = scalar.cast(pyarrow.string()).as_py()
    except Exception:
        return None
    return None if told.startswith("<") else told  # <value out of range: …>


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

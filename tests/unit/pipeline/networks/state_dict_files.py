"""State dicts as PyTorch wrote them up to version 1.5, written without PyTorch, opcode by opcode."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}})
PROTOCOL = b"\x80\x02"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"
TYPES = {np.dtype("<f4"): b"ctorch\nFloatStorage\n", np.dtype("<i8"): b"ctorch\nLongStorage\n"}


def header() -> bytes:
    """The three pickles before the tensors."""
    return b"".join(pickle.dumps(value, protocol=2) for value in HEADER)


def value(plain: Any) -> bytes:
    """The opcodes that put a plain value on the stack."""
    return pickle.dumps(plain, protocol=2)[2:-1]


def tensor(
    key: str, shape: tuple[int, ...], strides: tuple[int, ...], count: int, kind: bytes, offset: int = 0
) -> bytes:
    """The opcodes of a tensor in the storage of this key, which has ``count`` numbers."""
    storage = b"(" + value("storage") + kind + value(key) + value("cpu") + value(count) + b"NtQ"
    return REBUILD + b"(" + storage + value(offset) + value(shape) + value(strides) + b"\x89" + ORDERED_DICT + b"tR"


def state_dict(entries: Mapping[str, bytes]) -> bytes:
    """The pickle of the tensors, with the attribute ``_metadata`` that PyTorch sets."""
    items = b"".join(value(name) + opcodes for name, opcodes in entries.items())
    return PROTOCOL + ORDERED_DICT + b"(" + items + b"u}" + value("_metadata") + ORDERED_DICT + b"sb."


def storages(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The list of keys, and the numbers of each storage behind their count."""
    numbers = (array.size.to_bytes(8, "little") + array.tobytes() for array in arrays.values())
    return pickle.dumps(list(arrays), protocol=2) + b"".join(numbers)


def state_dict_file(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """A whole file. Arrays that are transposed are stored as they lie in memory, as PyTorch does."""
    entries, arrays = {}, {}
    for number, (name, array) in enumerate(tensors.items()):
        base = np.ascontiguousarray(array) if array.base is None or array.base.size != array.size else array
        strides = tuple(stride // array.itemsize for stride in base.strides)
        flat = base.ravel(order="K")
        entries[name] = tensor(str(number), base.shape, strides, flat.size, TYPES[flat.dtype])
        arrays[str(number)] = flat
    return header() + state_dict(entries) + storages(arrays)

"""Read a PyTorch state dict (``.pth``) without PyTorch, and without executing anything that the file contains.

A ``.pth`` file is a pickle, and loading a pickle runs the functions it names. Here its opcodes are interpreted instead:
the result consists of numbers, texts, tuples, lists, dictionaries and tensors, and the file is refused at the first
opcode or name that anything else would need. The layout is the one that ``torch.save`` wrote up to version 1.5, and
that the published files have: five pickles (a magic number, a protocol number, sizes of the machine, the state dict,
the keys of the storages), then the numbers of each storage behind their count. Later versions write zip archives, which
are refused: no published file read here is one.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact

MAX_BYTES = 500_000_000  # of a file; five times the largest network of this family
MAX_OPCODES = 200_000  # of a pickle; twelve times those of the published files
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_NUMBER = 1001
_COUNT_BYTES = 8
_DTYPES: Mapping[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_SCALARS = frozenset({"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "NONE", "NEWTRUE", "NEWFALSE"})
_SCALAR_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLE_LENGTHS = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Mark(Enum):
    """Stands for the beginning of a group of values, or for one of the two functions that a state dict names."""

    GROUP = "("
    ORDERED_DICT = "collections OrderedDict"
    REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"


@dataclass(frozen=True, slots=True)
class _StorageType:
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class _Storage:
    """A one-dimensional array that follows the pickles, of ``count`` numbers."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage: ``offset`` and ``strides`` in numbers, as PyTorch counts them."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(_is_count(number) for number in numbers):
            raise BadArtefact("a tensor's shape is not given by counts")
        size = int(np.prod(self.shape, dtype=object))
        last = self.offset + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        # A stride of 0 would make any number of values of one, so a tensor may not be larger than its storage either.
        if size > self.storage.count or (size and last >= self.storage.count):
            raise BadArtefact("a tensor is larger than its storage")

    def read(self, storages: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The values, in an array of their own."""
        values = storages[self.storage.key]
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides, writeable=False).copy()


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of the file by name, in its order: float32 or int64.

    Raises BadArtefact for a file that is larger than MAX_BYTES, truncated, of the zip layout, or contains anything but
    tensors; OSError when it cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise BadArtefact(f"the file is larger than {MAX_BYTES:,} bytes")
    content = path.read_bytes()
    if content.startswith(b"PK"):
        raise BadArtefact("it is a zip archive, as PyTorch writes since version 1.6; only the published file is read")
    stream = io.BytesIO(content)
    try:
        return _read(stream, memoryview(content))
    # What the interpreter meets in a pickle that PyTorch has not written: too few values, or values of other types.
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise BadArtefact(f"it is no state dict of PyTorch ({type(error).__name__})") from error


def _read(stream: io.BytesIO, content: memoryview) -> dict[str, NDArray[Any]]:
    storages: dict[str, _Storage] = {}
    if _PickleReader(storages).read(stream) != _MAGIC_NUMBER:
        raise BadArtefact("it does not start as a state dict of PyTorch does")
    if _PickleReader(storages).read(stream) != _PROTOCOL_NUMBER:
        raise BadArtefact("it is of an unknown version of PyTorch's layout")
    if _PickleReader(storages).read(stream).get("little_endian") is not True:
        raise BadArtefact("its numbers are not little-endian")
    tensors = _PickleReader(storages).read(stream)
    keys = _PickleReader(storages).read(stream)
    if not isinstance(tensors, dict) or not all(isinstance(tensor, _Tensor) for tensor in tensors.values()):
        raise BadArtefact("it contains something else than tensors")
    if not isinstance(keys, list) or len(keys) != len(storages) or set(keys) != set(storages):
        raise BadArtefact("its list of storages does not match its tensors")
    arrays = _read_storages([storages[key] for key in keys], content[stream.tell() :])
    return {name: tensor.read(arrays) for name, tensor in tensors.items()}


def _read_storages(storages: list[_Storage], content: memoryview) -> dict[str, NDArray[Any]]:
    arrays, position = {}, 0
    for storage in storages:
        start = position + _COUNT_BYTES
        position = start + storage.count * storage.dtype.itemsize
        if position > len(content):
            raise BadArtefact("it is truncated")
        if int.from_bytes(content[start - _COUNT_BYTES : start], "little", signed=True) != storage.count:
            raise BadArtefact("the size of a storage differs from that of its tensor")
        arrays[storage.key] = np.frombuffer(content[start:position], storage.dtype)
    if position != len(content):
        raise BadArtefact("it goes on behind its last storage")
    return arrays


class _PickleReader:
    """Interprets the opcodes of one pickle; ``storages`` collects the storages that its tensors refer to, by key."""

    def __init__(self, storages: dict[str, _Storage]) -> None:
        self._storages = storages
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._actions: dict[str, Callable[[Any], None]] = {
            "PROTO": lambda _: None,
            "STOP": lambda _: None,
            "MARK": lambda _: self._stack.append(_Mark.GROUP),
            "EMPTY_TUPLE": lambda _: self._stack.append(()),
            "EMPTY_LIST": lambda _: self._stack.append([]),
            "EMPTY_DICT": lambda _: self._stack.append({}),
            "TUPLE": lambda _: self._stack.append(tuple(self._pop_group())),
            "APPEND": lambda _: self._append([self._stack.pop()]),
            "APPENDS": lambda _: self._append(self._pop_group()),
            "SETITEM": lambda _: self._set_items([self._stack.pop(-2), self._stack.pop()]),
            "SETITEMS": lambda _: self._set_items(self._pop_group()),
            "GLOBAL": lambda name: self._stack.append(_named(name)),
            "REDUCE": lambda _: self._call(),
            "BUILD": lambda _: self._discard_attributes(),
            "BINPERSID": lambda _: self._stack.append(self._storage(self._stack.pop())),
        }
        self._actions |= dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._memorise)
        self._actions |= dict.fromkeys(("BINGET", "LONG_BINGET"), lambda key: self._stack.append(self._memo[key]))

    def read(self, stream: io.BytesIO) -> Any:
        """The value of the pickle at the position of the stream, which is left behind the pickle."""
        for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if number >= MAX_OPCODES:
                raise BadArtefact(f"it needs more than {MAX_OPCODES:,} steps")
            if opcode.name in _SCALARS:
                self._stack.append(_SCALAR_VALUES.get(opcode.name, argument))
            elif opcode.name in _TUPLE_LENGTHS:
                length = _TUPLE_LENGTHS[opcode.name]
                values = [self._stack.pop() for _ in range(length)]
                self._stack.append(tuple(reversed(values)))
            elif opcode.name in self._actions:
                self._actions[opcode.name](argument)
            else:
                raise BadArtefact(f"it contains {opcode.name}, which a state dict does not need")
        (value,) = self._stack
        return value

    def _memorise(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def _pop_group(self) -> list[Any]:
        start = len(self._stack) - 1
        while self._stack[start] is not _Mark.GROUP:
            start -= 1
            if start < 0:
                raise BadArtefact("a group of values has no beginning")
        values = self._stack[start + 1 :]
        del self._stack[start:]
        return values

    def _append(self, values: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise BadArtefact("values are added to something that is no list")
        self._stack[-1].extend(values)

    def _set_items(self, flat: list[Any]) -> None:
        target, keys, values = self._stack[-1], flat[::2], flat[1::2]
        if not isinstance(target, dict) or not all(isinstance(key, str) for key in keys):
            raise BadArtefact("entries are added to something that is no dictionary by name")
        target.update(zip(keys, values, strict=True))

    def _call(self) -> None:
        """The two calls of a state dict, an empty dictionary and a tensor."""
        arguments, function = self._stack.pop(), self._stack.pop()
        if function is _Mark.ORDERED_DICT and arguments == ():
            self._stack.append({})
        elif function is _Mark.REBUILD_TENSOR and isinstance(arguments[0], _Storage):
            storage, offset, shape, strides, *_ = arguments
            self._stack.append(_Tensor(storage, offset, tuple(shape), tuple(strides)))
        else:
            raise BadArtefact("it calls something that a state dict does not need")

    def _discard_attributes(self) -> None:
        """Drop the attributes of a state dict: the version numbers of its modules."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict):
            raise BadArtefact("it sets attributes of something that is no dictionary")

    def _storage(self, identity: Any) -> _Storage:
        kind, storage_type, key, _, count, *view = identity
        if kind != "storage" or not isinstance(storage_type, _StorageType) or view not in ([], [None]):
            raise BadArtefact("it refers to something else than a storage")
        if not isinstance(key, str) or not _is_count(count):
            raise BadArtefact("a storage has no key or no size")
        storage = _Storage(key, storage_type.dtype, count)
        if self._storages.setdefault(key, storage) != storage:
            raise BadArtefact("a storage is named twice, with different sizes")
        return storage


def _named(name: str) -> _Mark | _StorageType:
    """What a module and a name, with a space between them, stand for."""
    module, _, attribute = name.partition(" ")
    if module == "torch" and attribute in _DTYPES:
        return _StorageType(_DTYPES[attribute])
    if name in {_Mark.ORDERED_DICT.value, _Mark.REBUILD_TENSOR.value}:
        return _Mark(name)
    raise BadArtefact(f"it names {module[:40]}.{attribute[:40]}, which a state dict does not need")


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < MAX_BYTES

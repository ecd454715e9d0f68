"""JSON types, and a base class for dataclasses that are stored as JSON objects with one key per field."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Self, TypeAlias

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class StoredAs:
    """The JSON key of a field where it differs from its name: ``total: Annotated[int, StoredAs("of")]``."""

    key: str


class JsonRecord:
    """Base class of dataclasses that are stored as JSON objects.

    Fields are JSON values, enums, objects with ``as_json`` and ``from_json``, and tuples or mappings of these.
    ``from_json`` ignores unknown keys and uses the field's default for a missing one, so that records of earlier and
    later versions can be read.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def as_json(self) -> JsonObject:
        """The JSON object of the record; tuples become lists, enums their values."""
        cls: Any = type(self)
        return {key: encode(getattr(self, name)) for name, key in _keys(cls)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The record in a JSON object; raises ValueError when a field without a default is missing."""
        values: dict[str, Any] = {}
        record_class: Any = cls
        for name, key, decode, required in _decoders(record_class):
            if key in stored:
                values[name] = decode(stored[key])
            elif required:
                raise ValueError(f"{cls.__name__}: '{key}' is missing")
        return cls(**values)


def encode(value: Any) -> Any:
    """Convert a value of a record to JSON."""
    if hasattr(value, "as_json"):
        return value.as_json()
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value.value if isinstance(value, Enum) else value


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


@cache
def _keys(cls: Any) -> list[tuple[str, str]]:
    """The name and the JSON key of each field."""
    return [(field.name, _key(field.name, _hints(cls)[field.name])) for field in fields(cls)]


@cache
def _decoders(cls: Any) -> list[tuple[str, str, Callable[[Any], Any], bool]]:
    """The name, JSON key and decoder of each field, and whether it is required."""
    return [
        (
            field.name,
            _key(field.name, _hints(cls)[field.name]),
            _decoder(_hints(cls)[field.name]),
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(cls)
    ]


def _key(name: str, hint: Any) -> str:
    if typing.get_origin(hint) is Annotated:
        return next((entry.key for entry in hint.__metadata__ if isinstance(entry, StoredAs)), name)
    return name


def _decoder(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _decoder(arguments[0])
    if origin in (types.UnionType, typing.Union):
        members = [member for member in arguments if member is not type(None)]
        decode = _decoder(members[0]) if len(members) == 1 else _unchanged
        return decode if decode is _unchanged else lambda value: None if value is None else decode(value)
    if origin is tuple:
        decode_item = _decoder(arguments[0])
        return tuple if decode_item is _unchanged else lambda value: tuple(decode_item(item) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        decode_key, decode_value = map(_decoder, arguments)
        return lambda value: {decode_key(key): decode_value(item) for key, item in value.items()}
    if hasattr(hint, "from_json"):
        from_json: Callable[[Any], Any] = hint.from_json
        return from_json
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else _unchanged


def _unchanged(value: Any) -> Any:
    return value

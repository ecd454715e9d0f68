"""JSON types, and frozen dataclasses stored as JSON objects: a stored format is described by their fields alone."""

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
    """The name that a field has in JSON, where it is another one: ``total: Annotated[int, StoredAs("of")]``."""

    key: str


class JsonRecord:
    """A dataclass of JSON values, enums, what has ``as_json`` and ``from_json``, and tuples or mappings of them.

    ``from_json`` ignores unknown keys and takes the field's default for a missing one, so that what an earlier or a
    later program stored can be read.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def as_json(self) -> JsonObject:
        """The JSON object; tuples become lists, enums their values."""
        cls: Any = type(self)
        return {key: encode(getattr(self, name)) for name, key in _keys(cls)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """The record of a JSON object; ValueError where a field without a default is missing."""
        values: dict[str, Any] = {}
        own: Any = cls
        for name, key, decode, required in _decoders(own):
            if key in given:
                values[name] = decode(given[key])
            elif required:
                raise ValueError(f"{cls.__name__}: '{key}' is missing")
        return cls(**values)


def encode(value: Any) -> Any:
    """A value of a record as JSON."""
    if hasattr(value, "as_json"):
        return value.as_json()
    if isinstance(value, tuple | list):
        return [encode(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): encode(each) for key, each in value.items()}
    return value.value if isinstance(value, Enum) else value


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


@cache
def _keys(cls: Any) -> list[tuple[str, str]]:
    """The name of each field, and its key in JSON."""
    return [(each.name, _key(each.name, _hints(cls)[each.name])) for each in fields(cls)]


@cache
def _decoders(cls: Any) -> list[tuple[str, str, Callable[[Any], Any], bool]]:
    """For each field its name, its key, what reads its value, and whether it must be there."""
    return [
        (
            each.name,
            _key(each.name, _hints(cls)[each.name]),
            _decoder(_hints(cls)[each.name]),
            each.default is MISSING and each.default_factory is MISSING,
        )
        for each in fields(cls)
    ]


def _key(name: str, hint: Any) -> str:
    if typing.get_origin(hint) is Annotated:
        return next((each.key for each in hint.__metadata__ if isinstance(each, StoredAs)), name)
    return name


def _decoder(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _decoder(arguments[0])
    if origin in (types.UnionType, typing.Union):
        kinds = [each for each in arguments if each is not type(None)]
        decode = _decoder(kinds[0]) if len(kinds) == 1 else _as_it_is
        return decode if decode is _as_it_is else lambda value: None if value is None else decode(value)
    if origin is tuple:
        decode_each = _decoder(arguments[0])
        return tuple if decode_each is _as_it_is else lambda value: tuple(decode_each(each) for each in value)
    if origin is not None and issubclass(origin, Mapping):
        decode_key, decode_value = map(_decoder, arguments)
        return lambda value: {decode_key(key): decode_value(each) for key, each in value.items()}
    if hasattr(hint, "from_json"):
        read: Callable[[Any], Any] = hint.from_json
        return read
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value

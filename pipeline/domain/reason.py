"""Reason: why something is as it is, as a code with parameters, so that it can be said in any language."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Self, Union

from pipeline.domain.display_text import listed
from pipeline.domain.json_record import JsonObject
from pipeline.domain.reason_code import ReasonCode

# A reason may be a parameter of another one: "decided on text alone: the photo has no pixels".
Value = Union[str, int, float, Sequence[str], "Reason"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, the parameters of its message, and the reasons that qualify it; ``str`` is the English sentence.

    ValueError when a parameter of the message is missing.
    """

    code: ReasonCode
    parameters: Mapping[str, Value] = field(default_factory=dict, hash=False)
    further: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        if missing := _placeholders(self.code) - self.parameters.keys():
            raise ValueError(f"the reason {self.code} lacks {', '.join(sorted(missing))}")

    def __str__(self) -> str:
        return ENGLISH.write(self)

    @classmethod
    def of(cls, code: ReasonCode, **parameters: Value) -> Self:
        """The reason of a code and its parameters."""
        return cls(code, parameters)

    def with_further(self, *further: Reason) -> Reason:
        """The same, qualified by further reasons."""
        return replace(self, further=(*self.further, *further))

    def as_json(self) -> JsonObject:
        """A JSON object: ``code``, ``parameters`` and, where there are any, ``further`` reasons."""
        parameters = {name: _plain(value) for name, value in self.parameters.items()}
        found: JsonObject = {"code": self.code.value, "parameters": parameters}
        return found | ({"further": [each.as_json() for each in self.further]} if self.further else {})

    @classmethod
    def from_json(cls, given: Any) -> Self:
        """The reason of a JSON object; ValueError for anything this program does not know, such as a newer code."""
        parameters, further = (given.get("parameters"), given.get("further", [])) if isinstance(given, dict) else (0, 0)
        if not isinstance(parameters, dict) or not isinstance(further, list):
            raise ValueError("a reason is a JSON object with a code and parameters")
        values = {
            name: cls.from_json(value) if isinstance(value, dict) else value for name, value in parameters.items()
        }
        return cls(ReasonCode(str(given.get("code"))), values, tuple(map(cls.from_json, further)))

    @classmethod
    def stored(cls, coded: Any, text: str) -> Self:
        """The reason of a stored row: its JSON object, or its English text where that is missing or not understood.

        Rows of earlier programs have the text only, those of later ones may have codes that are new.
        """
        try:
            return cls.from_json(coded)
        except ValueError:
            return cls.other(text)

    @classmethod
    def other(cls, text: str) -> Self:
        """A text without a code of its own."""
        return cls(ReasonCode.OTHER, {"text": text})


class ReasonWriter(string.Formatter):
    """Writes reasons as sentences, in English; a subclass translates messages, numbers and lists.

    Formats of placeholders: ``percent`` (a share, rounded down), ``count`` (a whole number), ``names`` (a list). The
    number ``n`` of a message with a plural is written as ``count``.
    """

    separator = "; "

    def write(self, reason: Reason) -> str:
        """The sentence, and those of its further reasons behind semicolons."""
        message = self.message(reason.code, reason.parameters.get("n"))
        if reason.parameters:
            message = self.vformat(message, (), reason.parameters)
        return self.separator.join([message, *map(self.write, reason.further)])

    def message(self, code: ReasonCode, n: Value | None) -> str:
        """The message of a code, before its placeholders are filled in."""
        return code.plural if code.plural and n != 1 else code.message

    def format_field(self, value: Any, format_spec: str) -> str:
        """Fill in one placeholder."""
        if isinstance(value, Reason):
            return self.write(value)
        match format_spec:
            case "percent":
                return self.percent(value)
            case "count":
                return self.count(value)
            case "names":
                return self.names(value)
        return str(value)

    def percent(self, share: float) -> str:
        """A share in percent, rounded down: what reads as 100 % is certain."""
        return f"{int(share * 1000) / 10:g} %"

    def count(self, number: int) -> str:
        """A whole number."""
        return f"{number:,}"

    def names(self, names: Sequence[str]) -> str:
        """The first few of many names."""
        return listed(names)


ENGLISH = ReasonWriter()


def sentences(reasons: Iterable[Reason | None]) -> str:
    """The English sentences of reasons, with semicolons between; empty without any."""
    return ENGLISH.separator.join(str(each) for each in reasons if each is not None)


def stored_notes(coded: Any, text: str | None) -> tuple[Reason, ...]:
    """The notes of a stored row: its list of JSON objects, or its English text as one; none where it has no text."""
    if not text:
        return ()
    try:
        return tuple(map(Reason.from_json, coded)) if isinstance(coded, list) else (Reason.other(text),)
    except ValueError:
        return (Reason.other(text),)


def reason_of(error: BaseException) -> Reason:
    """The reason an error was raised with, else its text as one."""
    found = error.args[0] if error.args else None
    return found if isinstance(found, Reason) else Reason.other(str(error))


def coded_reason(reason: Reason | None) -> JsonObject | None:
    """The JSON object of a reason; None where it has no code."""
    if reason is None or (reason.code is ReasonCode.OTHER and not reason.further):
        return None
    return reason.as_json()


def coded_notes(notes: Sequence[Reason]) -> list[JsonObject] | None:
    """The JSON objects of notes; None where none of them has a code."""
    return [each.as_json() for each in notes] if any(map(coded_reason, notes)) else None


def reason_fields(reason: Reason | None) -> JsonObject:
    """``reason`` (the English sentence) and ``coded_reason``, as reports hold them."""
    return {"reason": None if reason is None else str(reason), "coded_reason": coded_reason(reason)}


@cache
def _placeholders(code: ReasonCode) -> frozenset[str]:
    parsed = string.Formatter().parse(code.message + code.plural)
    return frozenset(name for _, name, _, _ in parsed if name)


def _plain(value: Value) -> Any:
    if isinstance(value, Reason):
        return value.as_json()
    return value if isinstance(value, str | int | float) else list(value)

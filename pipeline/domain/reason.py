"""Reasons for decisions, failures and states, as codes with parameters, so that they can be shown in any language."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Self, Union

from pipeline.domain.display_text import join_names
from pipeline.domain.json_record import JsonObject
from pipeline.domain.reason_code import ReasonCode

# A reason may be a parameter of another one: "decided on text alone: the photo has no pixels".
Value = Union[str, int, float, Sequence[str], "Reason"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, the parameters of its message, and ``further`` reasons that qualify it; ``str`` is the English sentence.

    Raises ValueError when a parameter of the message is missing.
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
        """The reason with this code and these parameters."""
        return cls(code, parameters)

    def with_further(self, *further: Reason) -> Reason:
        """A copy that is qualified by further reasons."""
        return replace(self, further=(*self.further, *further))

    def as_json(self) -> JsonObject:
        """A JSON object: ``code``, ``parameters`` and, where there are any, ``further`` reasons."""
        parameters = {name: _plain(value) for name, value in self.parameters.items()}
        fields: JsonObject = {"code": self.code.value, "parameters": parameters}
        return fields | ({"further": [reason.as_json() for reason in self.further]} if self.further else {})

    @classmethod
    def from_json(cls, stored: Any) -> Self:
        """The reason in a JSON object; raises ValueError for anything unknown, such as a code of a later version."""
        parameters, further = (
            (stored.get("parameters"), stored.get("further", [])) if isinstance(stored, dict) else (0, 0)
        )
        if not isinstance(parameters, dict) or not isinstance(further, list):
            raise ValueError("a reason is a JSON object with a code and parameters")
        values = {
            name: cls.from_json(value) if isinstance(value, dict) else value for name, value in parameters.items()
        }
        return cls(ReasonCode(str(stored.get("code"))), values, tuple(map(cls.from_json, further)))

    @classmethod
    def stored(cls, coded: Any, text: str) -> Self:
        """The reason in a stored row: from its JSON object, or from its English text if that is missing or unknown.

        Rows written by earlier versions have only the text; those of later versions may have unknown codes.
        """
        try:
            return cls.from_json(coded)
        except ValueError:
            return cls.other(text)

    @classmethod
    def other(cls, text: str) -> Self:
        """The reason for a text without its own code."""
        return cls(ReasonCode.OTHER, {"text": text})


class ReasonWriter(string.Formatter):
    """Writes reasons as sentences, in English; a subclass translates messages, numbers and lists.

    Formats of placeholders: ``percent`` (a share, rounded down), ``count`` (a whole number), ``names`` (a list). The
    number ``n`` of a message with a plural is written as ``count``.
    """

    separator = "; "

    def write(self, reason: Reason) -> str:
        """The sentence, followed by those of its further reasons, separated by semicolons."""
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
        """The first few names, and the number of the others."""
        return join_names(names)


ENGLISH = ReasonWriter()


def sentences(reasons: Iterable[Reason | None]) -> str:
    """The English sentences of reasons, separated by semicolons; empty without any."""
    return ENGLISH.separator.join(str(reason) for reason in reasons if reason is not None)


def stored_notes(coded: Any, text: str | None) -> tuple[Reason, ...]:
    """The notes in a stored row: from its list of JSON objects, else from its English text; none without a text."""
    if not text:
        return ()
    try:
        return tuple(map(Reason.from_json, coded)) if isinstance(coded, list) else (Reason.other(text),)
    except ValueError:
        return (Reason.other(text),)


def reason_of(error: BaseException) -> Reason:
    """The reason that an error was raised with, else its text as a reason."""
    argument = error.args[0] if error.args else None
    return argument if isinstance(argument, Reason) else Reason.other(str(error))


def coded_reason(reason: Reason | None) -> JsonObject | None:
    """The JSON object of a reason; None if it has no code."""
    if reason is None or (reason.code is ReasonCode.OTHER and not reason.further):
        return None
    return reason.as_json()


def coded_notes(notes: Sequence[Reason]) -> list[JsonObject] | None:
    """The JSON objects of notes; None if none of them has a code."""
    return [note.as_json() for note in notes] if any(map(coded_reason, notes)) else None


def reason_fields(reason: Reason | None) -> JsonObject:
    """The fields ``reason`` (the English sentence) and ``coded_reason`` of a JSON report."""
    return {"reason": None if reason is None else str(reason), "coded_reason": coded_reason(reason)}


@cache
def _placeholders(code: ReasonCode) -> frozenset[str]:
    parsed = string.Formatter().parse(code.message + code.plural)
    return frozenset(name for _, name, _, _ in parsed if name)


def _plain(value: Value) -> Any:
    if isinstance(value, Reason):
        return value.as_json()
    return value if isinstance(value, str | int | float) else list(value)

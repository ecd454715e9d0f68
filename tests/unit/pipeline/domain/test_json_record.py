"""Dataclasses as JSON: enums, nested records and other names come back, unknown keys are ignored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import pytest

from pipeline.domain.json_record import JsonRecord, StoredAs


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Point(JsonRecord):
    x: int
    y: float | None = None


@dataclass(frozen=True, slots=True)
class Drawing(JsonRecord):
    colour: Colour
    points: tuple[Point, ...]
    rows: tuple[tuple[int, ...], ...]
    by_colour: Mapping[Colour, Point]
    centre: Annotated[Point | None, StoredAs("middle")] = None


DRAWING = Drawing(Colour.RED, (Point(1, 2.5), Point(3)), ((1, 2), (3,)), {Colour.BLUE: Point(0)}, Point(7))


def test_a_record_comes_back_from_json() -> None:
    stored = json.loads(json.dumps(DRAWING.as_json()))
    assert stored["middle"] == {"x": 7, "y": None}
    assert stored["colour"] == "red"
    assert stored["by_colour"] == {"blue": {"x": 0, "y": None}}
    found = Drawing.from_json(stored)
    assert found == DRAWING
    assert found.colour is Colour.RED


def test_unknown_keys_are_ignored_and_missing_ones_take_their_default() -> None:
    stored = DRAWING.as_json() | {"added_later": 1}
    del stored["middle"]
    assert Drawing.from_json(stored).centre is None


def test_a_missing_key_without_default_is_refused() -> None:
    with pytest.raises(ValueError, match="Point: 'x' is missing"):
        Point.from_json({"y": 1.0})


def test_an_unknown_value_of_an_enum_is_refused() -> None:
    with pytest.raises(ValueError, match="green"):
        Drawing.from_json(DRAWING.as_json() | {"colour": "green"})

"""Lines of a file, packed or not: all of them, from any of them on, whatever is wrong with the file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from infra.sources import product_file
from infra.sources.product_file import LinePosition, LineReader

WRITTEN = [b'{"a": 1}', b"", b"b" * 3000, "é".encode(), b"last"]
BODY = b"\n".join(WRITTEN)
PACKED = {
    "plain": BODY,
    "gzip": gzip.compress(BODY),
    "members": b"".join(gzip.compress(BODY[i : i + 700]) for i in range(0, len(BODY), 700)),
    "padded": gzip.compress(BODY) + bytes(600),
}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_file, "READ_BYTES", 97)


def opened(folder: Path, body: bytes, place: LinePosition | None = None) -> LineReader:
    path = folder / "file"
    path.write_bytes(body)
    return LineReader(path, place)


@pytest.mark.parametrize("form", PACKED)
def test_reading_can_continue_after_every_line(tmp_path: Path, form: str) -> None:
    file = opened(tmp_path, PACKED[form])
    places = [file.position]
    found = []
    for line in file:
        found.append(line)
        places.append(file.position)
    assert found == WRITTEN
    assert (file.damage, file.share) == (None, 1.0)
    for number, place in enumerate(places):
        assert list(opened(tmp_path, PACKED[form], place)) == WRITTEN[number:]


@pytest.mark.parametrize("form", PACKED)
def test_a_position_beyond_the_end_is_not_reached(tmp_path: Path, form: str) -> None:
    assert not opened(tmp_path, PACKED[form], LinePosition(9, len(BODY) + 50)).reached


def test_lines_before_the_damage_are_read(tmp_path: Path) -> None:
    body = gzip.compress(b"".join(b"%d\n" % n for n in range(5000)))
    for damaged in (body[: len(body) // 2], body[:-8] + bytes(8)):
        file = opened(tmp_path, damaged)
        found = [int(line or b"") for line in file]
        assert found == list(range(len(found)))
        assert len(found) > 1000
        assert file.damage


def test_a_line_too_long_is_left_out_and_the_next_one_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_file, "MAX_LINE_LENGTH", 1000)
    file = opened(tmp_path, BODY)
    assert list(file) == [None if len(line) > 1000 else line for line in WRITTEN]
    assert file.position == LinePosition(len(WRITTEN), len(BODY))
    assert list(opened(tmp_path, b"x" * 2000)) == [None]


def test_a_byte_order_mark_is_not_part_of_the_first_line(tmp_path: Path) -> None:
    assert list(opened(tmp_path, b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n")) == [b"one", b"\xef\xbb\xbftwo"]


def test_memory_stays_bounded_by_a_file_that_unpacks_to_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_file, "READ_BYTES", 1 << 20)
    file = opened(tmp_path, gzip.compress(bytes(20_000_000)))
    assert list(file) == [None]
    assert file.position.byte == 20_000_000

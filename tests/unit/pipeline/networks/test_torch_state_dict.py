"""State dicts: tensors are read, and nothing else is; hostile and damaged files are refused without side effects."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.domain.errors import BadArtefact
from pipeline.networks import torch_state_dict
from pipeline.networks.torch_state_dict import read_state_dict
from tests.unit.pipeline.networks.state_dict_files import (
    ORDERED_DICT,
    PROTOCOL,
    TYPES,
    header,
    state_dict,
    state_dict_file,
    storages,
    tensor,
    value,
)

FLOATS = np.arange(24, dtype=np.float32)
TENSORS = {
    "conv.weight": FLOATS.reshape(2, 3, 4),
    "conv.permuted": FLOATS.reshape(2, 3, 4).transpose(2, 0, 1),
    "conv.count": np.array(5),
}
FLOAT = TYPES[np.dtype("<f4")]


def read(content: bytes, tmp_path: Path) -> dict[str, np.ndarray]:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    return read_state_dict(path)


def test_tensors_are_read_with_their_names_order_shapes_and_strides(tmp_path: Path) -> None:
    found = read(state_dict_file(TENSORS), tmp_path)
    assert list(found) == list(TENSORS)
    for name, expected in TENSORS.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype
    assert state_dict_file(TENSORS).count(FLOATS.tobytes()) == 2  # the permuted tensor is stored as it lies in memory


def test_a_tensor_may_be_a_part_of_its_storage(tmp_path: Path) -> None:
    entries = {"part": tensor("0", (2, 2), (5, 1), 24, FLOAT, offset=3)}
    found = read(header() + state_dict(entries) + storages({"0": FLOATS}), tmp_path)
    np.testing.assert_array_equal(found["part"], [[3, 4], [8, 9]])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    content = state_dict_file(TENSORS)
    with pytest.raises(BadArtefact):
        read(content[: int(share * len(content))], tmp_path)


def test_every_byte_that_is_cut_off_is_noticed(tmp_path: Path) -> None:
    content = state_dict_file({"one": FLOATS[:2]})
    for size in range(len(content)):
        with pytest.raises(BadArtefact):
            read(content[:size], tmp_path)
    with pytest.raises(BadArtefact, match="goes on behind"):
        read(content + b"0", tmp_path)


class _Command:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("place", range(5))
def test_a_command_in_any_of_the_pickles_is_refused_and_not_run(tmp_path: Path, protocol: int, place: int) -> None:
    marker = tmp_path / "executed"
    hostile = pickle.dumps(_Command(marker), protocol=protocol)
    parts = [*(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})),
             state_dict({"one": tensor("0", (24,), (1,), 24, FLOAT)}), storages({"0": FLOATS})]  # fmt: skip
    with pytest.raises(BadArtefact):
        read(b"".join([*parts[:place], hostile, *parts[place + 1 :]]), tmp_path)
    assert not marker.exists()


NAMES = ["posix\nsystem", "builtins\neval", "builtins\ngetattr", "torch\nload", "torch._utils\n_rebuild_tensor",
         "collections\ndefaultdict", "torch\n_utils._rebuild_tensor_v2", "torch\nByteStorage"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_other_names_are_refused_even_when_nothing_calls_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadArtefact, match="which a state dict does not need"):
        read(header() + state_dict({"one": f"c{name}\n".encode()}) + storages({}), tmp_path)


ELEMENTS = {
    "a text": value("text"),
    "a number": value(3),
    "a nested dictionary": ORDERED_DICT,
    "a function": b"ccollections\nOrderedDict\n",
    "a call with arguments": b"ccollections\nOrderedDict\n" + value((1,)) + b"R",
    "a call of a dictionary": ORDERED_DICT + b")R",
    "a call of a text": value("text") + b")R",
    "attributes of a function": b"ccollections\nOrderedDict\n}" + value("a") + value(1) + b"sb",
    "attributes of a tensor": tensor("0", (24,), (1,), 24, FLOAT) + b"}b",
    "another persistent identity": value(("module", 1, "0", "cpu", 24)) + b"Q",
    "a storage without a type": value(("storage", "text", "0", "cpu", 24)) + b"Q",
    "a number as a storage": b"ctorch._utils\n_rebuild_tensor_v2\n" + value((3, 0, (1,), (1,))) + b"R",
    "more values than the storage": tensor("0", (25,), (1,), 24, FLOAT),
    "values behind the storage": tensor("0", (24,), (1,), 24, FLOAT, offset=1),
    "strides that leave the storage": tensor("0", (2, 2), (1, 100), 24, FLOAT),
    "strides of 0": tensor("0", (100_000, 100_000), (0, 0), 24, FLOAT),
    "a negative stride": tensor("0", (2,), (-1,), 24, FLOAT, offset=23),
    "a negative offset": tensor("0", (2,), (1,), 24, FLOAT, offset=-4),
    "a negative side": tensor("0", (-2, -3), (1, 1), 24, FLOAT),
    "a side that is no number": tensor("0", ("two",), (1,), 24, FLOAT),  # type: ignore[arg-type]
    "fewer strides than sides": tensor("0", (2, 2), (1,), 24, FLOAT),
    "a huge storage": tensor("0", (1,), (1,), 2**40, FLOAT),
    "a storage larger than the file": tensor("0", (1,), (1,), 10_000_000, FLOAT),
    "a storage of another size": tensor("0", (1,), (1,), 23, FLOAT),
    "a storage that does not exist": tensor("1", (1,), (1,), 24, FLOAT),
    "a group without a beginning": b"tt",
    "too few values": b"s",
    "a memo that is empty": b"h\x7f",
    "a frame of protocol 4": b"\x95" + bytes(8),
    "an extension": b"\x82\x01",
    "an instance": b"(ios\nsystem\n",
    "a name from the stack": value("os") + value("system") + b"\x93",
    "a new object": ORDERED_DICT + b")\x81",
    "bytes": b"B" + (1 << 31).to_bytes(4, "little"),
    "a huge text": b"X" + (1 << 31).to_bytes(4, "little"),
    "an unknown opcode": b"\xff",
}


@pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS)
def test_anything_but_a_tensor_is_refused(tmp_path: Path, element: bytes) -> None:
    content = header() + state_dict({"good": tensor("0", (24,), (1,), 24, FLOAT), "bad": element})
    with pytest.raises(BadArtefact):
        read(content + storages({"0": FLOATS}), tmp_path)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    content = PROTOCOL + ORDERED_DICT + value(3) + tensor("0", (24,), (1,), 24, FLOAT) + b"s."
    with pytest.raises(BadArtefact):
        read(header() + content + storages({"0": FLOATS}), tmp_path)


def test_an_endless_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_state_dict, "MAX_OPCODES", 1_000)
    content = header() + PROTOCOL + b"N" * 2_000 + b"."
    with pytest.raises(BadArtefact, match="1,000 steps"):
        read(content, tmp_path)


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with path.open("wb") as file:
        file.truncate(torch_state_dict.MAX_BYTES + 1)  # sparse: it takes no space
    with pytest.raises(BadArtefact, match="larger than"):
        read_state_dict(path)


def test_a_zip_archive_is_refused_unopened(tmp_path: Path) -> None:
    """Newer versions of PyTorch write these; one of them may be a bomb."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(BadArtefact, match="zip archive"):
        read(archive.getvalue(), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(3, 2), "does not start"),
        (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1002, 2), "unknown version"),
        (header().replace(b"\x88", b"\x89"), "little-endian"),
        (b"<html>Not found</html>", "no state dict|contains"),
    ],
)  # fmt: skip
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(BadArtefact, match=message):
        read(content + state_dict({}) + storages({}), tmp_path)

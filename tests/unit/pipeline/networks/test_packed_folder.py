"""Folders as one file: equal folders give equal bytes, and nothing that is unpacked lands outside."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.domain.errors import BadArtefact
from pipeline.networks import packed_folder

FILES = {"saved_model.pb": b"graph", "variables/variables.index": b"index", "variables/data": bytes(range(256)) * 900}


def folder_of(path: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member, b""


def test_a_packed_folder_is_unpacked_equal_and_removed_afterwards(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "module")
    packed_folder.pack_folder(folder, tmp_path / "module.tar.gz")
    with packed_folder.unpacked_folder(tmp_path / "module.tar.gz") as found:
        assert files_of(found) == FILES
        assert packed_folder.folder_digest(found) == packed_folder.folder_digest(folder)
    assert not found.exists()


def test_a_folder_is_used_as_it_is(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "module")
    with packed_folder.unpacked_folder(folder) as found:
        assert found == folder
    assert files_of(folder) == FILES


def test_equal_folders_give_equal_bytes_and_digests_others_do_not(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "first")
    second = folder_of(tmp_path / "second", dict(reversed(FILES.items())))
    other = folder_of(tmp_path / "other", {**FILES, "saved_model.pb": b"grapH"})
    packed = []
    for number, folder in enumerate((first, second, other)):
        (folder / "saved_model.pb").touch()
        packed_folder.pack_folder(folder, tmp_path / f"{number}.tar.gz")
        packed.append((tmp_path / f"{number}.tar.gz").read_bytes())
    assert packed[0] == packed[1] != packed[2]
    assert (
        packed_folder.folder_digest(first) == packed_folder.folder_digest(second) != packed_folder.folder_digest(other)
    )


def test_a_link_is_packed_as_the_file_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"weights")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").symlink_to(tmp_path / "blob")
    packed_folder.pack_folder(tmp_path / "model", tmp_path / "model.tar.gz")
    with packed_folder.unpacked_folder(tmp_path / "model.tar.gz") as found:
        assert files_of(found) == {"model.safetensors": b"weights"}


def test_an_archive_that_wraps_all_in_one_folder_is_opened(tmp_path: Path) -> None:
    folder_of(tmp_path / "outer" / "use-4")
    packed_folder.pack_folder(tmp_path / "outer", tmp_path / "wrapped.tar.gz")
    with packed_folder.unpacked_folder(tmp_path / "wrapped.tar.gz") as found:
        assert files_of(found) == FILES


def test_the_layout_of_a_hub_archive_is_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "module")
    with tarfile.open(tmp_path / "hub.tar.gz", "w:gz") as tar:
        tar.add(folder, arcname=".")
    with packed_folder.unpacked_folder(tmp_path / "hub.tar.gz") as found:
        assert files_of(found) == FILES


@pytest.mark.parametrize(
    "members",
    [
        [(tarfile.TarInfo("../escaped"), b"x")],
        [(tarfile.TarInfo("a/../../escaped"), b"x")],
        [(tarfile.TarInfo("/tmp/escaped"), b"x")],
        [link("out", "/etc"), (tarfile.TarInfo("out/escaped"), b"x")],
        [link("passwords", "/etc/passwd")],
        [link("passwords", "/etc/passwd", tarfile.LNKTYPE)],
        [link("device", "", tarfile.CHRTYPE)],
        [link("pipe", "", tarfile.FIFOTYPE)],
        [(tarfile.TarInfo("twice"), b"x"), (tarfile.TarInfo("twice"), b"y")],
    ],
    ids=["parent", "later parent", "absolute", "through a link", "link", "hard link", "device", "pipe", "twice"],
)
def test_an_archive_that_could_write_elsewhere_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    hostile = tar_of(tmp_path / "hostile.tar.gz", *members)
    with pytest.raises(BadArtefact, match=r"hostile\.tar\.gz holds"), packed_folder.unpacked_folder(hostile):
        pass
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[: len(content) // 2], lambda _content: b"", lambda _content: b"<html>Not found</html>"],
    ids=["cut short", "empty", "a page"],
)
def test_a_file_that_is_no_complete_archive_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "module.tar.gz"
    packed_folder.pack_folder(folder_of(tmp_path / "module"), path)
    path.write_bytes(damage(path.read_bytes()))
    with (
        pytest.raises(BadArtefact, match="neither a folder nor a whole tar archive"),
        packed_folder.unpacked_folder(path),
    ):
        pass


def test_an_archive_over_the_limits_is_refused_before_it_fills_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed_folder.pack_folder(folder_of(tmp_path / "module"), tmp_path / "module.tar.gz")
    for limit, value in (("MAX_BYTES", 1000), ("MAX_FILES", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(packed_folder, limit, value)
            with (
                pytest.raises(BadArtefact, match="more than"),
                packed_folder.unpacked_folder(tmp_path / "module.tar.gz"),
            ):
                pass

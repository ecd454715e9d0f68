"""Pack folders of published networks into archives, reproducibly, and unpack them safely."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from pipeline.domain.errors import BadArtefact

MAX_FILES = 10_000
MAX_BYTES = 8_000_000_000  # unpacked; ten times the largest encoders in use
_COPY_BYTES = 1 << 20


def pack_folder(folder: Path, archive: Path) -> None:
    """Write every file of the folder to ``archive`` (tar, gzip): sorted by name, without times or owners.

    A link is packed as the file it points to. Compression is set to the fastest level, since weights hardly shrink.
    """
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        listed_folders = {PurePosixPath(".")}
        for name, path in _files(folder):
            # Some readers, including tensorflow-hub, create only the folders that are listed.
            for parent in reversed(PurePosixPath(name).parents):
                if parent not in listed_folders:
                    listed_folders.add(parent)
                    entry = tarfile.TarInfo(str(parent))
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(member, file)


def folder_digest(folder: Path) -> str:
    """SHA-256 (hex) of the names and contents of all files in the folder; unchanged by packing and unpacking."""
    digest = hashlib.sha256()
    for name, path in _files(folder):
        with path.open("rb") as file:
            content_digest = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name}\0{content_digest}\n".encode())
    return digest.hexdigest()


@contextmanager
def unpacked_folder(path: Path) -> Iterator[Path]:
    """The folder itself, or the content of an archive (or of its single folder), for the duration of the ``with``.

    Raises BadArtefact for a file that is not a tar archive, is truncated or damaged, contains links, devices or paths
    that lead out of it, or is larger than any network.
    """
    if path.is_dir():
        yield path
        return
    with TemporaryDirectory(prefix="rayon-unpacked-") as folder_name:
        folder = Path(folder_name)
        try:
            _unpack(path, folder)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadArtefact(f"{path.name} is neither a folder nor a whole tar archive: {error}") from error
        entries = list(folder.iterdir())
        yield entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Relative names and paths of all files, sorted by name."""
    files = [(path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file()]
    return sorted(files)


def _unpack(archive: Path, folder: Path) -> None:
    remaining_bytes = MAX_BYTES
    with tarfile.open(archive) as tar:
        for number, member in enumerate(tar):
            target = folder / _safe_path(archive, member)
            remaining_bytes -= member.size
            if number >= MAX_FILES or remaining_bytes < 0:
                raise BadArtefact(f"{archive.name} holds more than {MAX_FILES:,} files or {MAX_BYTES:,} bytes")
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            content = tar.extractfile(member)
            if content is None or target.exists():
                raise BadArtefact(f"{archive.name} holds {member.name!r} twice, or without content")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(content, file, _COPY_BYTES)


def _safe_path(archive: Path, member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if not (member.isfile() or member.isdir()):
        raise BadArtefact(f"{archive.name} holds {member.name!r}, which is neither a file nor a folder")
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise BadArtefact(f"{archive.name} holds {member.name!r}, a path that leads out of it")
    return path

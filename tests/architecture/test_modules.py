"""The shape of the source: short modules, bare packages, names of the field, few roads to tensorflow."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, python_files, short, split_words

LINES = 450
VAGUE = {"manager", "helper", "util", "utils", "helpers", "managers"}
TENSORFLOW = {"tensorflow", "tensorflow_hub", "keras"}
MAY_IMPORT_TENSORFLOW = ("pipeline/networks/keras_*.py", "pipeline/features/use.py")
LOADS_CODE = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}


def imported(path: Path) -> Iterator[str]:
    """The top-level names a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_no_module_is_longer_than_450_lines() -> None:
    lengths = {short(p): len(p.read_text(encoding="utf-8").splitlines()) for p in python_files(*PACKAGES, "tests")}
    assert {name: lines for name, lines in lengths.items() if lines > LINES} == {}


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    crowded = []
    for path in python_files(*PACKAGES, "tests"):
        if path.name == "__init__.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if len(tree.body) != 1 or ast.get_docstring(tree) is None:
                crowded.append(short(path))
    assert crowded == []


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_every_folder_with_modules_is_a_package(package: str) -> None:
    """Without an unbroken chain, tests/unit/pipeline would shadow the real pipeline."""
    missing = set()
    for path in python_files(package):
        folder = path.parent
        while folder != ROOT:
            if not (folder / "__init__.py").is_file():
                missing.add(short(folder))
            folder = folder.parent
    assert missing == set()


def test_names_say_what_a_thing_is() -> None:
    vague = []
    for path in python_files(*PACKAGES, "tests"):
        if split_words(path.stem) & VAGUE:
            vague.append(short(path))
        classes = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ClassDef))
        vague += [f"{short(path)}: {node.name}" for node in classes if split_words(node.name) & VAGUE]
    assert vague == []


def test_vague_words_are_found_in_every_spelling() -> None:
    assert split_words("HTTPHelper") & VAGUE
    assert split_words("string_utils") & VAGUE
    assert not split_words("Utility") & VAGUE


def test_domain_and_ports_import_the_standard_library_only() -> None:
    allowed = sys.stdlib_module_names | {"pipeline", "numpy"}
    files = [*python_files("pipeline/domain"), *python_files("pipeline/ports")]
    foreign = {short(path): set(imported(path)) - allowed for path in files}
    assert {name: found for name, found in foreign.items() if found} == {}


def test_tensorflow_is_imported_in_the_files_named_for_it_only() -> None:
    allowed = {path for pattern in MAY_IMPORT_TENSORFLOW for path in ROOT.glob(pattern)}
    found = {path for path in python_files(*PACKAGES) if TENSORFLOW & set(imported(path))}
    assert {short(path) for path in found - allowed} == set()


def test_no_module_reads_artefacts_that_can_run_code() -> None:
    found = {short(path): LOADS_CODE & set(imported(path)) for path in python_files(*PACKAGES)}
    assert {name: names for name, names in found.items() if names} == {}

"""The lock file: exact versions, hashes for each, and no address of any machine."""

from __future__ import annotations

import re
import tomllib

from tests.architecture.tree import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = [entry for entry in re.split(r"\n(?=\S)", LOCK.strip()) if not entry.startswith("#")]
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z0-9,-]+\])?==[^\s;]+( *;[^\n\\]+)?( \\|$)", re.IGNORECASE)


def canonical(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_entry_is_pinned_and_hashed() -> None:
    loose = [e.splitlines()[0] for e in ENTRIES if not PINNED.match(e) or "--hash=sha256:" not in e]
    assert ENTRIES
    assert loose == []


def test_the_lock_names_no_address_and_no_path() -> None:
    assert re.findall(r"\S*(?:://|file:|@ |(?<![\w.])/\w|\.\./)\S*", LOCK) == []
    assert re.findall(r"^\s*(?:-i|-f|-e|--index-url|--extra-index-url|--find-links|--trusted-host).*", LOCK, re.M) == []


def test_every_dependency_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {canonical(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted}
    locked = {canonical(match["name"]) for match in map(PINNED.match, ENTRIES) if match}
    assert names - locked == set()

"""Categories of a taxonomy with their texts, and what an import of such categories changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.domain.category import SEPARATOR
from pipeline.domain.category_spelling import CategorySpelling
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# Size limits, in characters and in number.
MAX_CATEGORY_DESCRIPTION = 5_000
MAX_SYNONYMS = 50
MAX_SYNONYM = 200
MAX_CATEGORY_ID = 200
MAX_LISTED_CATEGORIES = 100_000
MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class CategoryEntry:
    """A category with the texts that describe it; ``names`` are its own name in other languages, by language code."""

    path: str
    description: str = ""
    synonyms: tuple[str, ...] = ()
    external_id: str | None = None
    names: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def leaf(self) -> str:
        """Its own name, without those of the categories above it."""
        return self.path.rpartition(SEPARATOR)[2]

    def updated(self, newer: CategoryEntry) -> CategoryEntry:
        """The category with the texts of ``newer``; those that it leaves empty stay as they are."""
        return replace(
            self,
            description=newer.description or self.description,
            synonyms=newer.synonyms or self.synonyms,
            external_id=newer.external_id or self.external_id,
            names={**self.names, **newer.names},
        )


@dataclass(frozen=True, slots=True)
class ListedTaxonomy:
    """The categories that a file or request lists, ancestors included, each once; notes say what was tidied."""

    entries: tuple[CategoryEntry, ...]
    notes: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class TaxonomyChanges:
    """What an import changes in a taxonomy.

    ``renamed`` maps old paths to new ones; ``unlisted`` are categories of the taxonomy that the import does not name,
    which stay as they are.
    """

    added: tuple[CategoryEntry, ...]
    renamed: Mapping[str, str]
    updated: tuple[CategoryEntry, ...]
    unchanged: int
    unlisted: int
    notes: tuple[Reason, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the taxonomy stays as it is."""
        return not (self.added or self.renamed or self.updated)


def plan_changes(known: Sequence[CategoryEntry], listed: ListedTaxonomy) -> TaxonomyChanges:
    """Compare a list of categories with those of a taxonomy.

    A category is the same as one of the taxonomy that has its id, or else its path in any spelling. One whose id has
    another path is renamed, and what lies below it moves with it.
    """
    renamed = _renamed(known, listed.entries)
    current = {renamed.get(entry.path, entry.path): entry for entry in known}
    spelling = CategorySpelling([*renamed.values(), *current])
    respelled: dict[str, str] = {}
    wanted: dict[str, CategoryEntry] = {}
    for entry in listed.entries:
        path = spelling.respell(entry.path)
        if path != entry.path:
            respelled[entry.path] = path
        before = wanted.get(path)
        wanted[path] = replace(entry, path=path) if before is None else before.updated(entry)
    by_id = {entry.external_id: path for path, entry in current.items() if entry.external_id}
    added, updated, unchanged = [], [], 0
    for path, entry in wanted.items():
        stored = current.get(path)
        if entry.external_id and by_id.get(entry.external_id, path) != path:
            entry = replace(entry, external_id=None)  # the id belongs to a category that could not be renamed
        if stored is None:
            added.append(entry)
        elif (new := replace(stored, path=path).updated(entry)) != replace(stored, path=path):
            updated.append(new)
        elif stored.path == path:
            unchanged += 1
    notes = list(listed.notes)
    if respelled:
        notes.append(_note(ReasonCode.CATEGORIES_RESPELLED, [f"{old} → {new}" for old, new in respelled.items()]))
    unlisted = sorted(current.keys() - wanted.keys())
    if unlisted and wanted:
        notes.append(_note(ReasonCode.CATEGORIES_UNLISTED, unlisted))
    return TaxonomyChanges(tuple(added), renamed, tuple(updated), unchanged, len(unlisted), tuple(notes))


def _renamed(known: Sequence[CategoryEntry], listed: Iterable[CategoryEntry]) -> dict[str, str]:
    """New paths by old ones: of categories whose id is listed with another path, and of what lies below them."""
    new_by_id = {entry.external_id: entry.path for entry in listed if entry.external_id}
    renamed = {
        entry.path: new
        for entry in known
        if entry.external_id and (new := new_by_id.get(entry.external_id, entry.path)) != entry.path
    }
    inherited: dict[str, str] = {}  # the parent that a category moves along with
    own_ids = {entry.path for entry in known if entry.external_id in new_by_id and entry.external_id}
    for entry in sorted(known, key=lambda entry: entry.path.count(SEPARATOR)):
        parent, _, leaf = entry.path.rpartition(SEPARATOR)
        if parent in renamed and entry.path not in own_ids:
            renamed[entry.path] = renamed[parent] + SEPARATOR + leaf
            inherited[entry.path] = parent
    # A path that another category has, and keeps, cannot be taken; nor one that two would get.
    kept = {entry.path for entry in known} - renamed.keys()
    taken: set[str] = set(kept)
    possible = {}
    for old, new in renamed.items():
        if new not in taken:
            taken.add(new)
            possible[old] = new
    if len(possible) == len(renamed):
        return possible
    return _without_conflicts(possible, inherited, {entry.path for entry in known})


def _without_conflicts(renamed: Mapping[str, str], inherited: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """Those renamings whose new path is free, since whatever has it now is renamed, too.

    What would move along with a category (``inherited``, by path) stays where that stays.
    """

    def blocked(old: str, new: str) -> bool:
        return new in known - left.keys() or (old in inherited and inherited[old] not in left)

    left = dict(renamed)
    while stays := {old for old, new in left.items() if blocked(old, new)}:
        left = {old: new for old, new in left.items() if old not in stays}
    return left


def _note(code: ReasonCode, examples: Sequence[str]) -> Reason:
    return Reason.of(code, n=len(examples), examples=list(examples[:MAX_EXAMPLES]))

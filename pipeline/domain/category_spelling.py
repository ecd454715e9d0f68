"""Spellings of category names: those that differ in case, blanks, Unicode form, or in ``&`` and ``and``, are one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from pipeline.domain.category import SEPARATOR

_AND = re.compile(r"\s*&\s*|\s+(?:and|et)\s+")


def fold_name(name: str) -> str:
    """The name in a form that all its spellings share."""
    folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return _AND.sub(" and ", folded)


def canonical_spellings(categories: Iterable[str]) -> dict[str, str]:
    """The canonical spelling of each path: the most frequent one of every part below the same parent."""
    counts = Counter(categories)
    parts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for path, count in counts.items():
        names = path.split(SEPARATOR)
        prefix: tuple[str, ...] = ()
        for name in names:
            prefix = (*prefix, fold_name(name))
            parts[prefix][name] += count
    best = {prefix: max(spellings, key=lambda name: (spellings[name], name)) for prefix, spellings in parts.items()}
    return {path: _respelled(path, best) for path in counts}


class CategorySpelling:
    """Spells the categories of an import as the taxonomy does, and new ones as they were first seen."""

    def __init__(self, known: Iterable[str]) -> None:
        self._best: dict[tuple[str, ...], str] = {}
        self._known: dict[str, str] = {}
        for path in known:
            self.respell(path)

    def respell(self, path: str) -> str:
        """The path in the known spelling of its parts; unknown parts are known from then on."""
        known = self._known.get(path)
        if known is None:
            prefix: tuple[str, ...] = ()
            for name in path.split(SEPARATOR):
                prefix = (*prefix, fold_name(name))
                self._best.setdefault(prefix, name)
            known = self._known[path] = _respelled(path, self._best)
        return known


def _respelled(path: str, best: Mapping[tuple[str, ...], str]) -> str:
    prefix: tuple[str, ...] = ()
    names = []
    for name in path.split(SEPARATOR):
        prefix = (*prefix, fold_name(name))
        names.append(best[prefix])
    return SEPARATOR.join(names)

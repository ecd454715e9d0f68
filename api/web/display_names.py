"""Display names of states, verdicts, stages and the like, by what they describe: in French they agree with it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.localisation.localised_text import Language
from pipeline.localisation.message_catalogues import pgettext_noop as _p

# What is described -> stored value -> gettext context and English name.
TERMS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "listing": {
        "pending": _p("listing", "waiting"),
        "assigned": _p("listing", "assigned"),
        "needs_review": _p("listing", "needs review"),
        "abstained": _p("listing", "no answer"),
        "withdrawn": _p("listing", "withdrawn"),
    },
    "listings": {
        "pending": _p("listings", "waiting"),
        "assigned": _p("listings", "assigned"),
        "needs_review": _p("listings", "needs review"),
        "abstained": _p("listings", "no answer"),
        "withdrawn": _p("listings", "withdrawn"),
    },
    "image": {
        "pending": _p("photo", "not fetched yet"),
        "stored": _p("photo", "stored"),
        "unusable": _p("photo", "unusable"),
        "unreachable": _p("photo", "unreachable"),
    },
    "import": {
        "running": _p("import", "running"),
        "done": _p("import", "done"),
        "failed": _p("import", "failed"),
        "unavailable": _p("import", "unavailable"),
        "interrupted": _p("import", "interrupted"),
    },
    "row": {
        "new": _p("row", "new"),
        "changed": _p("row", "changed"),
        "unchanged": _p("row", "unchanged"),
        "rejected": _p("row", "rejected"),
        "variant": _p("row", "variant"),
    },
    "rows": {
        "": _p("rows", "rows"),
        "new": _p("rows", "new"),
        "changed": _p("rows", "changed"),
        "unchanged": _p("rows", "unchanged"),
        "rejected": _p("rows", "rejected"),
        "variant": _p("rows", "variants"),
        "without_photo": _p("rows", "without photo"),
        "came_back": _p("rows", "came back"),
        "vanished": _p("rows", "vanished"),
    },
    "categories": {
        "added": _p("categories", "added"),
        "renamed": _p("categories", "renamed"),
        "updated": _p("categories", "with new texts"),
        "unchanged": _p("categories", "unchanged"),
    },
    "change": {
        "name": _p("what changed", "name"),
        "description": _p("what changed", "description"),
        "attributes": _p("what changed", "attributes"),
        "photos": _p("what changed", "photos"),
    },
    "model version": {
        "candidate": _p("model version", "candidate"),
        "active": _p("model version", "active"),
        "retired": _p("model version", "retired"),
    },
    "rule": {
        "proposed": _p("rule", "proposed"),
        "accepted": _p("rule", "accepted"),
        "refused": _p("rule", "refused"),
    },
    "rules": {
        "proposed": _p("rules", "proposed"),
        "accepted": _p("rules", "accepted"),
        "refused": _p("rules", "refused"),
        "all": _p("rules", "all"),
    },
    "study": {
        "running": _p("study", "running"),
        "done": _p("study", "done"),
        "failed": _p("study", "failed"),
        "feasible": _p("study", "feasible"),
        "promising": _p("study", "promising"),
        "not_feasible": _p("study", "not feasible yet"),
    },
    "trial": {
        "waiting": _p("trial", "waiting"),
        "running": _p("trial", "running"),
        "done": _p("trial", "done"),
        "failed": _p("trial", "failed"),
        "unavailable": _p("trial", "unavailable"),
    },
    "stage of a study": {
        "sample": _p("stage of a study", "drawing the sample"),
        "trial": _p("stage of a study", "extractors at work"),
        "combine": _p("stage of a study", "text and photo together"),
        "compare": _p("stage of a study", "other ways to cluster"),
        "supervised": _p("stage of a study", "training on labels"),
        "conclude": _p("stage of a study", "writing the report"),
    },
    "clustering": {
        "kmeans": _p("clustering", "k-means"),
        "spectral": _p("clustering", "spectral"),
        "hdbscan": _p("clustering", "HDBSCAN"),
    },
    "modality": {
        "text": _p("modality", "Text"),
        "image": _p("modality", "Photo"),
        "fused": _p("modality", "Both"),
    },
    "job": {
        "categorise": _p("job", "categorisation"),
        "train": _p("job", "training"),
        "purge": _p("job", "purge"),
        "study": _p("job", "study"),
        "collect": _p("job", "import"),
        "map": _p("job", "proposal of rules"),
    },
    "attempt": {
        "done": _p("attempt", "done"),
        "retry": _p("attempt", "to be repeated"),
        "requeued": _p("attempt", "put off"),
        "failed": _p("attempt", "failed"),
        "died": _p("attempt", "worker died"),
        "fenced": _p("attempt", "too late"),
    },
    "priority": {
        "interactive": _p("priority", "interactive"),
        "pipeline": _p("priority", "pipeline"),
        "import": _p("priority", "import"),
        "backfill": _p("priority", "backfill"),
    },
    "stage": {
        "waited": _p("stage", "waited"),
        "load": _p("stage", "load"),
        "fetch": _p("stage", "fetch"),
        "decode": _p("stage", "decode"),
        "text": _p("stage", "text"),
        "image": _p("stage", "photo"),
        "fuse": _p("stage", "fuse"),
        "write": _p("stage", "write"),
        "other": _p("stage", "other"),
    },
    "query": {
        "category": _p("query", "category"),
        "text": _p("query", "words"),
        "barcodes": _p("query", "barcodes"),
        "export": _p("query", "the whole export"),
        "changes": _p("query", "recent changes"),
    },
}


def term(language: Language, kind: str, value: str) -> str:
    """The display name of a stored value; the value itself if it has none."""
    context_and_name = TERMS[kind].get(value)
    return value if context_and_name is None else language.translate_in(*context_and_name)

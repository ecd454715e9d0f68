"""The gain from cleaning texts: ``python -m tests.benchmarks.cleaning FILE`` on a catalogue file.

Each extractor of words runs on cleaned texts and on bare words in lower case, clustered (protocol B) and evaluated by
grouped cross-validation, in the same run.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from pipeline.domain.progress import no_progress
from pipeline.domain.study import StudyPlan
from pipeline.features import boilerplate, text_cleaning
from pipeline.study import features, sampling, supervised, trials
from workers.commands.evaluate import read_labelled_rows

EXTRACTORS = ("bag_of_words", "tfidf", "word2vec")
PLAN = StudyPlan(seeds=(0, 1, 2, 3), repeats=1)
_BARE = re.compile(r"\w+")


def cleaning_of(file: Path) -> None:
    """Print one JSON object for each way to read texts."""
    examples = [row.example for row in read_labelled_rows(file, None, no_progress)]
    drawn = sampling.draw([example.category for example in examples], PLAN)
    chosen = [examples[at] for at in drawn.chosen]
    for way, reading in (("cleaned", cleaned), ("without learned phrases", without_phrases), ("bare words", bare)):
        with reading():
            learned = boilerplate.learn_phrases([example.evidence for example in chosen])
            row: dict[str, object] = {"reading": way, "phrases_learned": len(learned)}
            for name in EXTRACTORS:
                found = features.compute(name, [e.evidence for e in chosen], features.Forgetful(), None, silent)
                result = trials.run(found, drawn.labels, len(drawn.categories), PLAN, silent)
                judged = supervised.score(
                    chosen, text_extractor=name, level=drawn.level, folds=PLAN.folds, repeats=PLAN.repeats
                )
                row[name] = {
                    "ari": round(result.rows[1]["ari"]["mean"], 3),
                    "accuracy": round(judged.row["accuracy"]["mean"], 4),
                }
            print(json.dumps(row), flush=True)


@contextmanager
def cleaned() -> Iterator[None]:
    """Clean texts, as usual."""
    yield


@contextmanager
def without_phrases() -> Iterator[None]:
    """Clean texts, but learn no phrases from the catalogue."""
    with mock.patch.object(boilerplate, "learn", return_value=[]):
        yield


@contextmanager
def bare() -> Iterator[None]:
    """Clean nothing: words in lower case, neither stemmed nor left out."""

    def words(text: str) -> list[str]:
        return _BARE.findall(text.lower()[: text_cleaning.LONGEST])

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(text_cleaning, "words", words))
        stack.enter_context(mock.patch.object(text_cleaning, "phrases", lambda text: [words(text)]))
        stack.enter_context(mock.patch.object(text_cleaning, "stem", lambda word: word))
        stack.enter_context(without_phrases())
        yield


def silent(share: float, note: str) -> None:
    """Ignore progress."""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("name a catalogue file: python -m tests.benchmarks.cleaning FILE")
    cleaning_of(Path(sys.argv[1]))

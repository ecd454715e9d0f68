"""The gain from cleaning texts: ``python -m tests.benchmarks.cleaning FILE`` on a catalogue file.

Each extractor of words is tried on cleaned texts and on bare words in lower case, clustered (protocol B) and
cross-validated, in the same run.
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
from pipeline.study.features import NoFeatureStore, compute_features
from pipeline.study.sampling import draw_sample
from pipeline.study.supervised_scores import SupervisedSetup, score_supervised
from pipeline.study.trials import run_trials
from workers.commands.evaluate import read_labelled_rows

EXTRACTORS = ("bag_of_words", "tfidf", "word2vec")
PLAN = StudyPlan(seeds=(0, 1, 2, 3), repeats=1)
_BARE = re.compile(r"\w+")


def cleaning_of(file: Path) -> None:
    """Print one JSON object for each way of cleaning."""
    examples = [row.example for row in read_labelled_rows(file, None, no_progress)]
    drawn = draw_sample([example.category for example in examples], PLAN)
    chosen = [examples[index] for index in drawn.indices]
    for way, reading in (("cleaned", cleaned), ("without learned phrases", without_phrases), ("bare words", bare)):
        with reading():
            learned = boilerplate.learn_phrases([example.evidence for example in chosen])
            row: dict[str, object] = {"reading": way, "phrases_learned": len(learned)}
            for name in EXTRACTORS:
                texts = [example.evidence for example in chosen]
                features = compute_features(name, texts, NoFeatureStore(), None, no_progress)
                trial = run_trials(features, drawn.labels, len(drawn.categories), PLAN, no_progress).result.trials[1]
                setup = SupervisedSetup(drawn.level, name, folds=PLAN.folds, repeats=PLAN.repeats)
                accuracy = score_supervised(chosen, setup).figures.accuracy
                row[name] = {
                    "ari": round(trial.mean_ari, 3),
                    "accuracy": None if accuracy is None else round(accuracy.mean, 4),
                }
            print(json.dumps(row), flush=True)


@contextmanager
def cleaned() -> Iterator[None]:
    """Clean texts, as usual."""
    yield


@contextmanager
def without_phrases() -> Iterator[None]:
    """Clean texts, but learn no phrases from the catalogue."""
    with mock.patch.object(boilerplate, "learn_phrases", return_value=[]):
        yield


@contextmanager
def bare() -> Iterator[None]:
    """Clean nothing: words in lower case, neither stemmed nor left out."""

    def words(text: str) -> list[str]:
        return _BARE.findall(text.lower()[: text_cleaning.MAX_TEXT_LENGTH])

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(text_cleaning, "words", words))
        stack.enter_context(mock.patch.object(text_cleaning, "phrases", lambda text: [words(text)]))
        stack.enter_context(mock.patch.object(text_cleaning, "stem", lambda word: word))
        stack.enter_context(without_phrases())
        yield


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("name a catalogue file: python -m tests.benchmarks.cleaning FILE")
    cleaning_of(Path(sys.argv[1]))

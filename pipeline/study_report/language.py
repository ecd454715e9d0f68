"""One language of the report: its words by their keys, and names as readers know them."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.reason import Reason
from pipeline.localisation import language
from pipeline.localisation.message_catalogues import gettext_noop as _
from pipeline.study_report.wording import WORDS

SEPARATOR = " >> "
ARROW = " › "
# The names people know extractors by.
EXTRACTORS: Mapping[str, str] = {
    "bag_of_words": _("Bag of words"),
    "tfidf": "TF-IDF",
    "word2vec": "Word2Vec",
    "use": "Sentence Encoder (USE)",
    "sentence": "Sentence transformer",
    "sift": "SIFT",
    "fisher": _("Fisher vectors"),
    "squeezenet": "SqueezeNet",
    "vgg16": "VGG16",
}


def shorten(name: str, longest: int = 38) -> str:
    """A name cut in its middle where it is too long, so that its beginning and its leaf stay."""
    if len(name) <= longest:
        return name
    return f"{name[: longest // 2 - 1].rstrip()}…{name[-(longest // 2) :].lstrip()}"


class ReportLanguage(language.Language):
    """A language that also knows the words of the report: ``words("ari_by", extractor="SIFT")``."""

    def __call__(self, key: str, n: int | None = None, **parameters: str) -> str:
        """The words of a key, filled in; ``n`` chooses between singular and plural. KeyError for an unknown key."""
        message = WORDS[key]
        if isinstance(message, str):
            return self.translate(message, **({} if n is None else {"n": self.count(n)}), **parameters)
        if n is None:
            raise ValueError(f"the words {key!r} need a number n")
        return self.translate_plural(*message, n, **parameters)

    def extractor(self, name: str) -> str:
        """The name people know an extractor, or a combination of some, by."""
        return " + ".join(self.translate(EXTRACTORS.get(part, part)) for part in name.split("+"))

    def category(self, path: str) -> str:
        """A category path as it is read."""
        return path.replace(SEPARATOR, ARROW)

    def reason(self, reason: Reason | str | None) -> str:
        """The reason why something has no figures."""
        if not reason:
            return self("no_reason")
        return super().reason(reason if isinstance(reason, Reason) else Reason.other(reason))

    def evidence(self, fields: list[str]) -> str:
        """The kinds of evidence an estimator saw, such as name, description and photo."""
        return ", ".join(self(field) if field in WORDS else field for field in fields)

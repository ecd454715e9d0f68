"""One language of the report: its words, and its ways to write numbers, dates, times and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.study_report import wording
from pipeline.study_report.reasons import bare, in_french
from pipeline.study_report.wording import CLUSTERINGS, LANGUAGES

WORDS: Mapping[str, tuple[str, str]] = {**wording.WORDS, **CLUSTERINGS}
NONE = "–"
THIN, FIXED = "\u202f", "\u00a0"  # spaces at which no line breaks
SEPARATOR = " >> "
ARROW = " › "
MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December",
    "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
)
MINUTE, HOUR = 60, 3600
# The names people know extractors by, in the order of LANGUAGES.
EXTRACTORS: Mapping[str, tuple[str, str]] = {
    "bag_of_words": ("Bag of words", "Sac de mots"),
    "tfidf": ("TF-IDF", "TF-IDF"),
    "word2vec": ("Word2Vec", "Word2Vec"),
    "use": ("Sentence Encoder (USE)", "Sentence Encoder (USE)"),
    "sentence": ("Sentence transformer", "Sentence transformer"),
    "sift": ("SIFT", "SIFT"),
    "fisher": ("Fisher vectors", "Vecteurs de Fisher"),
    "squeezenet": ("SqueezeNet", "SqueezeNet"),
    "vgg16": ("VGG16", "VGG16"),
}


def shorten(name: str, longest: int = 38) -> str:
    """A name cut in its middle where it is too long, so that its beginning and its leaf stay."""
    if len(name) <= longest:
        return name
    return f"{name[: longest // 2 - 1].rstrip()}…{name[-(longest // 2) :].lstrip()}"


@dataclass(frozen=True, slots=True)
class Language:
    """``code`` is one of ``LANGUAGES``. Every method takes None for a figure that is not there, and writes a dash."""

    code: str

    @property
    def _at(self) -> int:
        return LANGUAGES.index(self.code)

    def __call__(self, key: str, n: int | None = None, **fields: str) -> str:
        """The words of a key, filled in; ``n`` chooses between singular and plural. KeyError for an unknown key."""
        wording = WORDS[key][self._at]
        if n is not None:
            one, _, many = wording.partition("|")
            alone = n < 2 if self.code == "fr" else n == 1
            wording = one if alone or not many else many
            fields = {"n": self.count(n)} | fields
        return wording.format(**fields) if fields else wording

    def decimal(self, value: float | None, digits: int = 2) -> str:
        """A plain number with so many digits after the point or comma."""
        return NONE if value is None else self._local(f"{value:,.{digits}f}").replace("-", "−")

    def signed(self, value: float) -> str:
        """A change, with its sign."""
        return self._local(f"{value:+.2f}").replace("-", "−")

    def count(self, value: int | None) -> str:
        """A whole number, its thousands set apart."""
        return NONE if value is None else self._local(f"{value:,d}")

    def percent(self, share: float | None) -> str:
        """A share (0 to 1) in percent; what reads as 100 % is all."""
        if share is None:
            return NONE
        rounded = round(100 * share, 1)
        return self._local(f"{99.9 if rounded == 100 and share < 1 else rounded:g}") + f"{FIXED}%"

    def seconds(self, spent: float | None) -> str:
        """A duration with as many digits as it deserves."""
        if spent is None:
            return NONE
        if spent < MINUTE:
            return self._local(f"{spent:.1f}") + f"{FIXED}s"
        if spent < HOUR:
            return f"{int(spent // MINUTE)}{FIXED}min {int(spent % MINUTE):02d}{FIXED}s"
        return f"{int(spent // HOUR)}{FIXED}h {int(spent % HOUR // MINUTE):02d}{FIXED}min"

    def size(self, count: int | None) -> str:
        """Bytes as MB or GB, MO or GO in French."""
        if count is None:
            return NONE
        unit = "o" if self.code == "fr" else "B"
        if count < 1e9:
            return self._local(f"{count / 1e6:,.0f}") + f"{FIXED}M{unit}"
        return self._local(f"{count / 1e9:,.1f}") + f"{FIXED}G{unit}"

    def date(self, moment: str | None, with_time: bool = False) -> str:
        """An ISO moment as a date."""
        if not moment:
            return NONE
        read = datetime.fromisoformat(moment)
        month = MONTHS[self._at].split("|")[read.month - 1]
        day = f"{read.day} {month} {read.year}"
        return f"{day}, {read:%H:%M} {read.tzname() or ''}".rstrip() if with_time else day

    def extractor(self, name: str) -> str:
        """The name people know an extractor, or a combination of some, by."""
        return " + ".join(EXTRACTORS[part][self._at] if part in EXTRACTORS else part for part in name.split("+"))

    def category(self, path: str) -> str:
        """A category path as it is read."""
        return path.replace(SEPARATOR, ARROW)

    def reason(self, written: str | None) -> str:
        """Why something has no figures, as it was written in English; in French where the reason is a known one."""
        if not written:
            return self("no_reason")
        told = bare(written)
        return in_french(told) if self.code == "fr" else told

    def evidence(self, fields: list[str]) -> str:
        """What an estimator saw: name, description, photo."""
        return ", ".join(self(field) if field in WORDS else field for field in fields)

    def _local(self, number: str) -> str:
        if self.code == "en":
            return number
        return number.replace(",", THIN).replace(".", ",")

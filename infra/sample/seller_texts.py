"""The texts sellers write about a product: name, description and attributes, with the typos of real sellers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from infra.sample import vocabulary as words
from infra.sample.categories import CATEGORIES
from infra.sample.vocabulary import CategoryVocabulary


class NameStyle(StrEnum):
    """The style of a listing's name."""

    FULL = "full"
    KEYWORDS = "keywords"
    MODEL = "model"
    VAGUE = "vague"


@dataclass(frozen=True, slots=True)
class Product:
    """The facts of one product, independent of seller and language. ``colour`` and ``material`` are keys."""

    vocabulary: CategoryVocabulary
    brand: str
    model: str
    colour: str
    material: str
    size: str
    price: float

    @classmethod
    def invent(cls, rng: Random, vocabulary: CategoryVocabulary) -> Product:
        """A product of this category; one brand in four is sold in every department."""
        low, high = vocabulary.prices
        number = str(rng.randint(10, 980))
        return cls(
            vocabulary=vocabulary,
            brand=rng.choice(vocabulary.brands if rng.random() < 0.75 else words.BRANDS),
            model=" ".join((rng.choice(words.SERIES), *rng.choice(((), (), ("II",), ("Mini",), ("Plus",), (number,))))),
            colour=rng.choice(tuple(words.COLOURS)),
            material=rng.choice(vocabulary.materials),
            size=rng.choice(vocabulary.sizes),
            price=round(low * (high / low) ** rng.random()) - rng.choice((0.01, 0.05, 0.1, 0.5)),
        )


@dataclass(frozen=True, slots=True)
class Seller:
    """One seller describing one product in one language; ``rng`` makes the choices."""

    product: Product
    language: str
    rng: Random

    def name(self, style: NameStyle) -> str:
        """A product name; MODEL and VAGUE names do not say what it is."""
        rng, product = self.rng, self.product
        wording = product.vocabulary.wordings[self.language]
        noun, trait = _frequent(wording.nouns, rng), _frequent(wording.traits, rng)
        if style is NameStyle.MODEL:
            forms = ("{brand} {model}", "{brand} {model} {colour}", "{brand} {model} ({size})", "{model} by {brand}")
            form = rng.choice(forms if self.language == "en" else forms[:3])
        elif style is NameStyle.VAGUE:
            form = rng.choice(words.VAGUE_NAMES[self.language])
        else:
            before = self.language == "en" and not trait.startswith(("for ", "with "))
            phrase = f"{trait} {noun}" if before else f"{noun} {trait}"
            if style is NameStyle.FULL:
                ends = ("", "", ", {colour}", " - {colour} / {size}", " {model}", " ({material})")
                form = f"{{brand}} {phrase}{rng.choice(ends)}"
            else:
                parts = [
                    phrase,
                    "{colour}",
                    rng.choice(("{material}", "{size}")),
                    rng.choice(("", "{brand}", "{model}")),
                ]
                form = rng.choice((" ", ", ", " - ")).join(part for part in parts if part)
        name = self._filled(form, noun)
        style_of_writing = rng.random()
        if style_of_writing < 0.07:
            return name.upper()
        return name if style_of_writing < 0.2 else name[:1].upper() + name[1:]

    def description(self) -> str:
        """One to five sentences: on the category, on any product, on the shop; boilerplate alone now and then."""
        rng, vocabulary = self.rng, self.product.vocabulary
        wording = vocabulary.wordings[self.language]
        if rng.random() < 0.06:
            return " ".join(rng.sample(words.BOILERPLATE[self.language], rng.randint(1, 2)))
        own = rng.choices((0, 1, 2, 3), weights=(4, 34, 40, 22))[0]
        sentences = rng.sample(wording.sentences, min(own, len(wording.sentences)))
        sentences += rng.sample(words.PRAISE[self.language], rng.randint(1 if own == 0 else 0, 2))
        if rng.random() < 0.12:
            other = rng.choice([each for each in CATEGORIES if each is not vocabulary]).wordings[self.language].nouns[0]
            sentences.append(words.CROSS_SALE[self.language].replace("{other}", other))
        rng.shuffle(sentences)
        if rng.random() < 0.35:
            sentences.append(rng.choice(words.BOILERPLATE[self.language]))
        return self._filled(" ".join(sentences), _frequent(wording.nouns, rng))

    def attributes(self) -> dict[str, str]:
        """A price always, each of the others half of the time."""
        product, rng = self.product, self.rng
        keys = words.ATTRIBUTE_NAMES[self.language]
        _, colours = words.COLOURS[product.colour]
        values = (
            colours[self.language],
            words.MATERIALS[product.material][self.language],
            product.size,
            product.brand,
        )
        stated = {key: value for key, value in zip(keys, values, strict=True) if rng.random() < 0.5}
        return {**stated, "Price": f"{product.price:.2f} EUR"}

    def _filled(self, form: str, noun: str) -> str:
        product = self.product
        _, colours = words.COLOURS[product.colour]
        return form.format(
            noun=noun,
            brand=product.brand,
            model=product.model,
            colour=colours[self.language],
            material=words.MATERIALS[product.material][self.language],
            size=product.size,
        )


def _frequent(words: tuple[str, ...], rng: Random) -> str:
    """One of the words, of which earlier ones are more frequent, as in any language (Zipf)."""
    return rng.choices(words, [1 / (rank + 1.5) for rank in range(len(words))])[0]


def add_typos(text: str, rng: Random, count: int) -> str:
    """The text with some letters swapped, dropped or doubled."""
    letters = list(text)
    for _ in range(count if len(letters) > 8 else 0):
        at = rng.randint(1, len(letters) - 3)
        if not (letters[at].isalpha() and letters[at + 1].isalpha()):
            continue
        kind = rng.random()
        if kind < 0.4:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        elif kind < 0.75:
            del letters[at]
        else:
            letters.insert(at, letters[at])
    return "".join(letters)

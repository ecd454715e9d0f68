"""Generates the texts that sellers write about a product: name, description and attributes, with typos."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from infra.sample import vocabulary as shared_words
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
        """Invent a product of a category; one brand in four is a brand of all departments."""
        min_price, max_price = vocabulary.prices
        number = str(rng.randint(10, 980))
        return cls(
            vocabulary=vocabulary,
            brand=rng.choice(vocabulary.brands if rng.random() < 0.75 else shared_words.BRANDS),
            model=" ".join(
                (rng.choice(shared_words.SERIES), *rng.choice(((), (), ("II",), ("Mini",), ("Plus",), (number,))))
            ),
            colour=rng.choice(tuple(shared_words.COLOURS)),
            material=rng.choice(vocabulary.materials),
            size=rng.choice(vocabulary.sizes),
            price=round(min_price * (max_price / min_price) ** rng.random()) - rng.choice((0.01, 0.05, 0.1, 0.5)),
        )


@dataclass(frozen=True, slots=True)
class Seller:
    """A seller who describes one product in one language; ``rng`` makes the choices."""

    product: Product
    language: str
    rng: Random

    def name(self, style: NameStyle) -> str:
        """Write a name; MODEL and VAGUE names do not say what the product is."""
        rng, product = self.rng, self.product
        wording = product.vocabulary.wordings[self.language]
        noun, trait = _choose_by_rank(wording.nouns, rng), _choose_by_rank(wording.traits, rng)
        if style is NameStyle.MODEL:
            templates = (
                "{brand} {model}",
                "{brand} {model} {colour}",
                "{brand} {model} ({size})",
                "{model} by {brand}",
            )
            template = rng.choice(templates if self.language == "en" else templates[:3])
        elif style is NameStyle.VAGUE:
            template = rng.choice(shared_words.VAGUE_NAMES[self.language])
        else:
            trait_first = self.language == "en" and not trait.startswith(("for ", "with "))
            phrase = f"{trait} {noun}" if trait_first else f"{noun} {trait}"
            if style is NameStyle.FULL:
                suffixes = ("", "", ", {colour}", " - {colour} / {size}", " {model}", " ({material})")
                template = f"{{brand}} {phrase}{rng.choice(suffixes)}"
            else:
                parts = [
                    phrase,
                    "{colour}",
                    rng.choice(("{material}", "{size}")),
                    rng.choice(("", "{brand}", "{model}")),
                ]
                template = rng.choice((" ", ", ", " - ")).join(part for part in parts if part)
        name = self._fill_template(template, noun)
        capitalisation = rng.random()
        if capitalisation < 0.07:
            return name.upper()
        return name if capitalisation < 0.2 else name[:1].upper() + name[1:]

    def description(self) -> str:
        """Write sentences about the category, about any product, and about the shop; sometimes only about the shop."""
        rng, vocabulary = self.rng, self.product.vocabulary
        wording = vocabulary.wordings[self.language]
        if rng.random() < 0.06:
            return " ".join(rng.sample(shared_words.BOILERPLATE[self.language], rng.randint(1, 2)))
        n_category_sentences = rng.choices((0, 1, 2, 3), weights=(4, 34, 40, 22))[0]
        sentences = rng.sample(wording.sentences, min(n_category_sentences, len(wording.sentences)))
        sentences += rng.sample(
            shared_words.PRAISE[self.language], rng.randint(1 if n_category_sentences == 0 else 0, 2)
        )
        if rng.random() < 0.12:
            other = rng.choice([category for category in CATEGORIES if category is not vocabulary])
            noun = other.wordings[self.language].nouns[0]
            sentences.append(shared_words.CROSS_SALE[self.language].replace("{other}", noun))
        rng.shuffle(sentences)
        if rng.random() < 0.35:
            sentences.append(rng.choice(shared_words.BOILERPLATE[self.language]))
        return self._fill_template(" ".join(sentences), _choose_by_rank(wording.nouns, rng))

    def attributes(self) -> dict[str, str]:
        """Choose attributes: always a price, each other one with probability 0.5."""
        product, rng = self.product, self.rng
        keys = shared_words.ATTRIBUTE_NAMES[self.language]
        _, colours = shared_words.COLOURS[product.colour]
        values = (
            colours[self.language],
            shared_words.MATERIALS[product.material][self.language],
            product.size,
            product.brand,
        )
        stated = {key: value for key, value in zip(keys, values, strict=True) if rng.random() < 0.5}
        return {**stated, "Price": f"{product.price:.2f} EUR"}

    def _fill_template(self, template: str, noun: str) -> str:
        product = self.product
        _, colours = shared_words.COLOURS[product.colour]
        return template.format(
            noun=noun,
            brand=product.brand,
            model=product.model,
            colour=colours[self.language],
            material=shared_words.MATERIALS[product.material][self.language],
            size=product.size,
        )


def _choose_by_rank(words: tuple[str, ...], rng: Random) -> str:
    """Choose a word with a probability that falls with its rank, as in natural language (Zipf's law)."""
    return rng.choices(words, [1 / (rank + 1.5) for rank in range(len(words))])[0]


def add_typos(text: str, rng: Random, count: int) -> str:
    """Make up to ``count`` typos in a text: letters swapped, dropped or doubled."""
    letters = list(text)
    for _ in range(count if len(letters) > 8 else 0):
        position = rng.randint(1, len(letters) - 3)
        if not (letters[position].isalpha() and letters[position + 1].isalpha()):
            continue
        kind = rng.random()
        if kind < 0.4:
            letters[position], letters[position + 1] = letters[position + 1], letters[position]
        elif kind < 0.75:
            del letters[position]
        else:
            letters.insert(position, letters[position])
    return "".join(letters)

"""How a seller words a product: a name, a description, attributes; with the haste and the slips of real sellers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from infra.sample import vocabulary as sample_vocabulary
from infra.sample.departments.all_categories import CATEGORIES
from infra.sample.vocabulary import CategoryVocabulary


class NameStyle(StrEnum):
    """What a seller puts into the name."""

    FULL = "full"
    KEYWORDS = "keywords"
    MODEL = "model"
    VAGUE = "vague"


@dataclass(frozen=True, slots=True)
class Product:
    """The facts of one product, whoever sells it, in whatever language. ``colour`` and ``material`` are keys."""

    shelf: CategoryVocabulary
    brand: str
    model: str
    colour: str
    material: str
    size: str
    price: float

    @classmethod
    def invent(cls, rng: Random, shelf: CategoryVocabulary) -> Product:
        """A product of this shelf; one in four brands is sold in every department."""
        low, high = shelf.prices
        number = str(rng.randint(10, 980))
        return cls(
            shelf=shelf,
            brand=rng.choice(shelf.brands if rng.random() < 0.75 else sample_vocabulary.BRANDS),
            model=" ".join(
                (rng.choice(sample_vocabulary.SERIES), *rng.choice(((), (), ("II",), ("Mini",), ("Plus",), (number,))))
            ),
            colour=rng.choice(tuple(sample_vocabulary.COLOURS)),
            material=rng.choice(shelf.materials),
            size=rng.choice(shelf.sizes),
            price=round(low * (high / low) ** rng.random()) - rng.choice((0.01, 0.05, 0.1, 0.5)),
        )


@dataclass(frozen=True, slots=True)
class Seller:
    """One seller describing one product in one language; ``rng`` holds the seller's mood."""

    product: Product
    language: str
    rng: Random

    def name(self, style: NameStyle) -> str:
        """A product name; MODEL and VAGUE names do not tell what it is."""
        rng, product = self.rng, self.product
        wording = product.shelf.wordings[self.language]
        noun, trait = _frequent(wording.nouns, rng), _frequent(wording.traits, rng)
        if style is NameStyle.MODEL:
            forms = ("{brand} {model}", "{brand} {model} {colour}", "{brand} {model} ({size})", "{model} by {brand}")
            form = rng.choice(forms if self.language == "en" else forms[:3])
        elif style is NameStyle.VAGUE:
            form = rng.choice(sample_vocabulary.VAGUE_NAMES[self.language])
        else:
            before = self.language == "en" and not trait.startswith(("for ", "with "))
            what = f"{trait} {noun}" if before else f"{noun} {trait}"
            if style is NameStyle.FULL:
                ends = ("", "", ", {colour}", " - {colour} / {size}", " {model}", " ({material})")
                form = f"{{brand}} {what}{rng.choice(ends)}"
            else:
                parts = [what, "{colour}", rng.choice(("{material}", "{size}")), rng.choice(("", "{brand}", "{model}"))]
                form = rng.choice((" ", ", ", " - ")).join(part for part in parts if part)
        name = self._filled(form, noun)
        style_of_writing = rng.random()
        if style_of_writing < 0.07:
            return name.upper()
        return name if style_of_writing < 0.2 else name[:1].upper() + name[1:]

    def description(self) -> str:
        """One to five sentences: of the shelf, of any product, of the shop; boilerplate alone now and then."""
        rng, shelf = self.rng, self.product.shelf
        wording = shelf.wordings[self.language]
        if rng.random() < 0.06:
            return " ".join(rng.sample(sample_vocabulary.BOILERPLATE[self.language], rng.randint(1, 2)))
        own = rng.choices((0, 1, 2, 3), weights=(4, 34, 40, 22))[0]
        sentences = rng.sample(wording.sentences, min(own, len(wording.sentences)))
        sentences += rng.sample(sample_vocabulary.PRAISE[self.language], rng.randint(1 if own == 0 else 0, 2))
        if rng.random() < 0.12:
            other = rng.choice([each for each in CATEGORIES if each is not shelf]).wordings[self.language].nouns[0]
            sentences.append(sample_vocabulary.CROSS_SALE[self.language].replace("{other}", other))
        rng.shuffle(sentences)
        if rng.random() < 0.35:
            sentences.append(rng.choice(sample_vocabulary.BOILERPLATE[self.language]))
        return self._filled(" ".join(sentences), _frequent(wording.nouns, rng))

    def attributes(self) -> dict[str, str]:
        """A price always, the others as the seller pleases."""
        product, rng = self.product, self.rng
        keys = sample_vocabulary.ATTRIBUTE_NAMES[self.language]
        _, colours = sample_vocabulary.COLOURS[product.colour]
        values = (
            colours[self.language],
            sample_vocabulary.MATERIALS[product.material][self.language],
            product.size,
            product.brand,
        )
        stated = {key: value for key, value in zip(keys, values, strict=True) if rng.random() < 0.5}
        return {**stated, "Price": f"{product.price:.2f} EUR"}

    def _filled(self, form: str, noun: str) -> str:
        product = self.product
        _, colours = sample_vocabulary.COLOURS[product.colour]
        return form.format(
            noun=noun,
            brand=product.brand,
            model=product.model,
            colour=colours[self.language],
            material=sample_vocabulary.MATERIALS[product.material][self.language],
            size=product.size,
        )


def _frequent(words: tuple[str, ...], rng: Random) -> str:
    """One of the words; earlier ones are more frequent, as in any language (Zipf)."""
    return rng.choices(words, [1 / (rank + 1.5) for rank in range(len(words))])[0]


def mistyped(text: str, rng: Random, slips: int) -> str:
    """The text with some letters swapped, dropped or doubled."""
    letters = list(text)
    for _ in range(slips if len(letters) > 8 else 0):
        at = rng.randint(1, len(letters) - 3)
        if not (letters[at].isalpha() and letters[at + 1].isalpha()):
            continue
        slip = rng.random()
        if slip < 0.4:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        elif slip < 0.75:
            del letters[at]
        else:
            letters.insert(at, letters[at])
    return "".join(letters)

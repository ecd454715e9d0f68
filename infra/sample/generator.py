"""Generates the sample catalogue: realistic listings with drawn photos, the same for the same seed.

Listings are generated one by one, so that a longer catalogue begins with the shorter one of the same seed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from random import Random

from infra.sample.categories import CATEGORIES, DRAWINGS
from infra.sample.product_photo import SHOP_LOGO, DrawnPhoto
from infra.sample.seller_texts import NameStyle, Product, Seller, add_typos
from infra.sample.vocabulary import COLOURS, LANGUAGES, CategoryVocabulary

COLUMNS = ("id", "name", "description", "attributes", "category", "image")


class PhotoKind(StrEnum):
    """What the photo of a listing shows.

    The product (OWN), a copy of another seller's photo of the same product (SHARED), a product of another category
    (OTHER), the shop's logo (LOGO), or there is no photo (MISSING).
    """

    OWN = "own"
    SHARED = "shared"
    OTHER = "other"
    LOGO = "logo"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class SampleListing:
    """One listing. ``category`` is written ``A >> B``; ``image`` is a file name; ``photo`` is drawn on demand.

    ``photo_kind`` says what the photo shows, for tests and explanations: OTHER and LOGO are misleading.
    """

    external_id: str
    name: str
    description: str
    attributes: Mapping[str, str]
    category: str
    language: str
    photo_kind: PhotoKind
    image: str | None
    photo: DrawnPhoto | None

    def jpeg(self) -> bytes | None:
        """Draw the photo; None when the listing has none."""
        return None if self.photo is None else self.photo.jpeg()


@dataclass(frozen=True, slots=True)
class _SellerStyle:
    """How a seller writes a listing: language, style of the name, typos, and kind of photo."""

    language: str
    name_style: NameStyle
    described: bool
    n_typos: int
    photo_kind: PhotoKind

    @classmethod
    def draw(cls, rng: Random) -> _SellerStyle:
        (language,) = rng.choices(tuple(LANGUAGES), tuple(LANGUAGES.values()))
        (name_style,) = rng.choices(tuple(NameStyle), (57, 30, 9, 4))
        (photo_kind,) = rng.choices(tuple(PhotoKind), (85, 5, 3, 2, 5))
        n_typos = rng.choices((0, 1, 3), (84, 11, 5))[0]
        return cls(language, name_style, rng.random() < 0.87, n_typos, photo_kind)


# The category and the seller's style of each fresh listing.
_FRESH_LISTINGS = (
    (CATEGORIES[0], _SellerStyle("en", NameStyle.FULL, described=True, n_typos=0, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[5], _SellerStyle("fr", NameStyle.FULL, described=True, n_typos=0, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[10], _SellerStyle("en", NameStyle.MODEL, described=False, n_typos=0, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[8], _SellerStyle("en", NameStyle.FULL, described=True, n_typos=1, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[6], _SellerStyle("en", NameStyle.KEYWORDS, described=True, n_typos=0, photo_kind=PhotoKind.MISSING)),
    (CATEGORIES[3], _SellerStyle("en", NameStyle.FULL, described=False, n_typos=0, photo_kind=PhotoKind.OWN)),
)


def generate(count: int = 400, seed: int = 20, language: str | None = None) -> Iterator[SampleListing]:
    """Generate ``count`` listings in a mixed order; photos are drawn on demand.

    With a ``language`` (a key of LANGUAGES) all are written in it: the same products for every language of one seed.
    """
    vocabularies = _mixed_vocabularies(seed)
    latest_photo_by_category: dict[str, tuple[Product, str, DrawnPhoto]] = {}
    for number in range(1, count + 1):
        rng = Random(f"catalogue {seed} {number}")
        vocabulary = next(vocabularies)
        seller_style = _SellerStyle.draw(rng)
        if language is not None:
            seller_style = replace(seller_style, language=language)
        product = Product.invent(rng, vocabulary)
        external_id = f"sample-{number:04d}"
        photo = _choose_photo(product, seller_style.photo_kind, rng)
        image = f"{external_id}.jpg" if photo else None
        if seller_style.photo_kind is PhotoKind.SHARED:
            if vocabulary.category in latest_photo_by_category:
                # Another seller of the same product, at another price, copies the photo.
                original, image, photo = latest_photo_by_category[vocabulary.category]
                product = replace(original, price=product.price)
            else:
                seller_style = replace(seller_style, photo_kind=PhotoKind.OWN)
        if image and photo and seller_style.photo_kind is PhotoKind.OWN:
            latest_photo_by_category[vocabulary.category] = (product, image, photo)
        yield _listing(external_id, product, seller_style, image, photo, rng)


def fresh_listings(count: int = 6, seed: int = 2) -> list[SampleListing]:
    """Listings that are not in the catalogue: clear ones, one named by its model, a French one, one without a photo."""
    listings = []
    for number in range(1, count + 1):
        rng = Random(f"fresh {seed} {number}")
        vocabulary, seller_style = _FRESH_LISTINGS[(number - 1) % len(_FRESH_LISTINGS)]
        product = Product.invent(rng, vocabulary if number <= len(_FRESH_LISTINGS) else rng.choice(CATEGORIES))
        external_id = f"fresh-{seed}-{number:04d}"
        photo = _choose_photo(product, seller_style.photo_kind, rng)
        listings.append(
            _listing(external_id, product, seller_style, f"{external_id}.jpg" if photo else None, photo, rng)
        )
    return listings


def write_catalogue(
    folder: Path, count: int = 400, seed: int = 20, language: str | None = None, *, labelled: bool = True
) -> Path:
    """Write ``listings.csv`` and ``images/`` into ``folder`` (created if needed); return the path of the CSV.

    The columns are COLUMNS; ``attributes`` is a JSON object; ``image`` is a file name in ``images/``, or empty; so is
    the category unless the listings are ``labelled``.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    path = folder / "listings.csv"
    written_images: set[str] = set()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for listing in generate(count, seed, language):
            attributes = json.dumps(dict(listing.attributes), ensure_ascii=False)
            category = listing.category if labelled else ""
            row = (listing.external_id, listing.name, listing.description, attributes, category)
            writer.writerow((*row, listing.image or ""))
            content = None if listing.image in written_images else listing.jpeg()
            if listing.image and content:
                (images / listing.image).write_bytes(content)
                written_images.add(listing.image)
    return path


def categories() -> tuple[str, ...]:
    """The leaf categories of the sample, as ``A >> B``."""
    return tuple(vocabulary.category for vocabulary in CATEGORIES)


def _mixed_vocabularies(seed: int) -> Iterator[CategoryVocabulary]:
    """Every category once per round, and the frequent ones more often, so that small catalogues have all of them."""
    rng = Random(f"shelves {seed}")
    weights = [vocabulary.weight for vocabulary in CATEGORIES]
    while True:
        one_round = [*CATEGORIES, *rng.choices(CATEGORIES, weights, k=len(CATEGORIES) // 2)]
        rng.shuffle(one_round)
        yield from one_round


def _choose_photo(product: Product, kind: PhotoKind, rng: Random) -> DrawnPhoto | None:
    if kind is PhotoKind.MISSING:
        return None
    subject = product.vocabulary.category
    if kind is PhotoKind.LOGO:
        subject = SHOP_LOGO
    elif kind is PhotoKind.OTHER:
        subject = rng.choice([category for category in DRAWINGS if category != subject])
    colour, _ = COLOURS[product.colour]
    return DrawnPhoto(subject, colour, f"{rng.getrandbits(64):016x}")


def _listing(
    external_id: str,
    product: Product,
    seller_style: _SellerStyle,
    image: str | None,
    photo: DrawnPhoto | None,
    rng: Random,
) -> SampleListing:
    seller = Seller(product, seller_style.language, rng)
    return SampleListing(
        external_id=external_id,
        name=add_typos(seller.name(seller_style.name_style), rng, seller_style.n_typos),
        description=add_typos(seller.description(), rng, seller_style.n_typos * 2) if seller_style.described else "",
        attributes=seller.attributes(),
        category=product.vocabulary.category,
        language=seller_style.language,
        photo_kind=seller_style.photo_kind,
        image=image,
        photo=photo,
    )

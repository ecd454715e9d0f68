"""The sample catalogue: believable listings with drawn photos, the same for the same seed.

Listings are drawn one after the other, so a longer catalogue begins with the shorter one of the same seed.
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
    """The photo of a listing: of the product, shared with another listing, of another product, a logo, or missing."""

    OWN = "own"
    SHARED = "shared"
    OTHER = "other"
    LOGO = "logo"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class SampleListing:
    """One listing. ``category`` reads ``A >> B``; ``image`` is a file name; ``photo`` is drawn on demand.

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
    """How a seller writes a listing: language, style, typos, and the photo."""

    language: str
    style: NameStyle
    described: bool
    typos: int
    photo_kind: PhotoKind

    @classmethod
    def draw(cls, rng: Random) -> _SellerStyle:
        (language,) = rng.choices(tuple(LANGUAGES), tuple(LANGUAGES.values()))
        (style,) = rng.choices(tuple(NameStyle), (57, 30, 9, 4))
        (photo_kind,) = rng.choices(tuple(PhotoKind), (85, 5, 3, 2, 5))
        typos = rng.choices((0, 1, 3), (84, 11, 5))[0]
        return cls(language, style, rng.random() < 0.87, typos, photo_kind)


_FRESH = (
    (CATEGORIES[0], _SellerStyle("en", NameStyle.FULL, described=True, typos=0, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[5], _SellerStyle("fr", NameStyle.FULL, described=True, typos=0, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[10], _SellerStyle("en", NameStyle.MODEL, described=False, typos=0, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[8], _SellerStyle("en", NameStyle.FULL, described=True, typos=1, photo_kind=PhotoKind.OWN)),
    (CATEGORIES[6], _SellerStyle("en", NameStyle.KEYWORDS, described=True, typos=0, photo_kind=PhotoKind.MISSING)),
    (CATEGORIES[3], _SellerStyle("en", NameStyle.FULL, described=False, typos=0, photo_kind=PhotoKind.OWN)),
)


def generate(count: int = 400, seed: int = 20) -> Iterator[SampleListing]:
    """Generate ``count`` listings in a mixed order; photos are drawn on demand."""
    vocabularies = _mixed_vocabularies(seed)
    shown: dict[str, tuple[Product, str, DrawnPhoto]] = {}
    for number in range(1, count + 1):
        rng = Random(f"catalogue {seed} {number}")
        vocabulary = next(vocabularies)
        circumstances = _SellerStyle.draw(rng)
        product = Product.invent(rng, vocabulary)
        external_id = f"sample-{number:04d}"
        photo = _photo_of(product, circumstances.photo_kind, rng)
        image = f"{external_id}.jpg" if photo else None
        if circumstances.photo_kind is PhotoKind.SHARED:
            if vocabulary.category in shown:
                # Another seller of the same product, at another price, who copies the photo.
                original, image, photo = shown[vocabulary.category]
                product = replace(original, price=product.price)
            else:
                circumstances = replace(circumstances, photo_kind=PhotoKind.OWN)
        if image and photo and circumstances.photo_kind is PhotoKind.OWN:
            shown[vocabulary.category] = (product, image, photo)
        yield _listing(external_id, product, circumstances, image, photo, rng)


def fresh_listings(count: int = 6, seed: int = 2) -> list[SampleListing]:
    """Listings that are not in the catalogue: clear ones, a bare model name, a French one, one without a photo."""
    fresh = []
    for number in range(1, count + 1):
        rng = Random(f"fresh {seed} {number}")
        vocabulary, circumstances = _FRESH[(number - 1) % len(_FRESH)]
        product = Product.invent(rng, vocabulary if number <= len(_FRESH) else rng.choice(CATEGORIES))
        external_id = f"fresh-{seed}-{number:04d}"
        photo = _photo_of(product, circumstances.photo_kind, rng)
        fresh.append(_listing(external_id, product, circumstances, f"{external_id}.jpg" if photo else None, photo, rng))
    return fresh


def write_catalogue(folder: Path, count: int = 400, seed: int = 20) -> Path:
    """Write ``listings.csv`` and ``images/`` into ``folder`` (created if needed); return the path of the CSV.

    The columns are COLUMNS; attributes are a JSON object; image is a file name in ``images/`` or empty.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    path = folder / "listings.csv"
    drawn: set[str] = set()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for listing in generate(count, seed):
            attributes = json.dumps(dict(listing.attributes), ensure_ascii=False)
            row = (listing.external_id, listing.name, listing.description, attributes, listing.category)
            writer.writerow((*row, listing.image or ""))
            content = None if listing.image in drawn else listing.jpeg()
            if listing.image and content:
                (images / listing.image).write_bytes(content)
                drawn.add(listing.image)
    return path


def categories() -> tuple[str, ...]:
    """The leaf categories of the sample, as ``A >> B``."""
    return tuple(vocabulary.category for vocabulary in CATEGORIES)


def _mixed_vocabularies(seed: int) -> Iterator[CategoryVocabulary]:
    """Every category once a round, and some of the heavier ones twice, so that small catalogues have them all."""
    rng = Random(f"shelves {seed}")
    weights = [vocabulary.weight for vocabulary in CATEGORIES]
    while True:
        batch = [*CATEGORIES, *rng.choices(CATEGORIES, weights, k=len(CATEGORIES) // 2)]
        rng.shuffle(batch)
        yield from batch


def _photo_of(product: Product, kind: PhotoKind, rng: Random) -> DrawnPhoto | None:
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
    circumstances: _SellerStyle,
    image: str | None,
    photo: DrawnPhoto | None,
    rng: Random,
) -> SampleListing:
    seller = Seller(product, circumstances.language, rng)
    return SampleListing(
        external_id=external_id,
        name=add_typos(seller.name(circumstances.style), rng, circumstances.typos),
        description=add_typos(seller.description(), rng, circumstances.typos * 2) if circumstances.described else "",
        attributes=seller.attributes(),
        category=product.vocabulary.category,
        language=circumstances.language,
        photo_kind=circumstances.photo_kind,
        image=image,
        photo=photo,
    )
